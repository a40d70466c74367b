"""Snapshots: complete, in order, the same again, and never changed, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from services.targeting.domain import snapshot_hash
from services.targeting.erase import erase
from shared import kafka
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET, make_topics
from tests.integration.targeting_world import (
    emitted,
    freeze,
    open_world,
    published,
    row_of,
    sample,
    saved,
    where,
    work_off,
)
from tests.integration.test_core import running, send
from tests.waiting import PATIENCE
from topics.names import SNAPSHOTS, TARGETING_EVENTS, TARGETING_STATE
from topics.targeting import (
    ControlGroup,
    ControlMethod,
    ControlSort,
    ControlUnit,
    Counts,
    FreezeSnapshot,
    Operator,
    SnapshotChunk,
    SnapshotFrozen,
    TargetRefused,
)

MAX_MESSAGE_BYTES = 900_000


async def test_a_snapshot_holds_every_member_in_order_and_says_so_last(open_service: Open) -> None:
    runtime = await open_world(open_service)
    command = await freeze(runtime, await saved(runtime))
    found = await published(runtime)
    assert found.types == [SnapshotChunk.ce_type] * 5 + [SnapshotFrozen.ce_type]
    assert [chunk.index for chunk in found.chunks] == [0, 1, 2, 3, 4]
    assert [len(chunk.members) for chunk in found.chunks] == [500, 500, 500, 500, 100]
    assert max(found.sizes) < MAX_MESSAGE_BYTES
    [frozen] = found.frozen
    assert (frozen.snapshot_id, frozen.members, frozen.chunks) == (command.snapshot_id, 2_100, 5)
    ids = [member.member_id for member in found.members]
    assert ids == sorted(ids)
    keyed = [(member.member_id, member.recipient_key) for member in found.members]
    assert frozen.snapshot_hash == snapshot_hash(keyed)
    rows = {row["email"].lower(): row for row in sample("contacts") if row["email"]}
    member = next(m for m in found.members if m.email and m.opted_out)
    assert rows[member.email or ""]["email_consent"] == "no"
    assert member.recipient_key == recipient_key(SECRET.encode(), "email", member.email or "")
    out = {m.recipient_key for m in found.members if m.opted_out}
    assert len(out) == frozen.counts.opted_out
    without = [m for m in found.members if m.recipient_key is None]
    assert len(without) == frozen.counts.without_email
    first = {m.member_id: m for m in found.members}[ids[0]]
    assert (first.kind, first.contact_id, first.site.country != "") == (
        Counts.CONTACTS,
        first.member_id,
        True,
    )


async def test_asked_again_the_same_snapshot_comes_again_while_the_directory_moves_on(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    command = await freeze(runtime, targeting_id)
    first = await published(runtime)
    await runtime.pool.execute("UPDATE contacts SET last_name = 'Changed'")
    await runtime.pool.execute("DELETE FROM contacts WHERE contact_ref > 'CON-0001000'")
    await runtime.execute(command)
    await runtime.execute(command)
    await work_off(runtime)
    second = await published(runtime)
    assert second.members == first.members
    assert second.frozen == first.frozen
    assert await runtime.pool.fetchval("SELECT count(*) FROM snapshots") == 1
    await freeze(runtime, targeting_id)
    third = await published(runtime)
    assert third.frozen[0].snapshot_hash != first.frozen[0].snapshot_hash
    assert third.frozen[0].members == 1_000


async def test_two_snapshots_of_an_unchanged_directory_have_one_hash(open_service: Open) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    hashes = set()
    for _ in range(2):
        await freeze(runtime, targeting_id)
        hashes.add((await published(runtime)).frozen[0].snapshot_hash)
    assert len(hashes) == 1


async def test_the_database_refuses_to_change_a_frozen_snapshot(open_service: Open) -> None:
    runtime = await open_world(open_service)
    await freeze(runtime, await saved(runtime))
    for tampering, words in (
        ("UPDATE snapshots SET snapshot_hash = 'x'", "frozen snapshot cannot be changed"),
        ("UPDATE snapshots SET counts = '{}'", "frozen snapshot cannot be changed"),
        ("UPDATE snapshot_members SET opted_out = true", "cannot be changed"),
        ("UPDATE snapshot_members SET recipient_key = NULL", "cannot be changed"),
        ("DELETE FROM snapshot_members WHERE position = 3", "cannot be deleted"),
    ):
        with pytest.raises(asyncpg.RaiseError, match=words):
            await runtime.pool.execute(tampering)


async def test_sites_are_members_with_their_main_contact_and_deals_with_theirs(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    await freeze(runtime, await saved(runtime, counts=Counts.SITES))
    sites = (await published(runtime)).members
    assert len(sites) == len({site.member_id for site in sites}) == 420
    assert all(site.member_id == site.site.site_id for site in sites)
    rows = await runtime.pool.fetch("SELECT site_id, site_ref FROM sites")
    refs = {row["site_id"]: row["site_ref"] for row in rows}
    out = {r["email"].lower() for r in sample("contacts") if r["email_consent"] == "no"}
    by_site: dict[str, list[dict[str, str]]] = {}
    for row in sample("contacts"):
        by_site.setdefault(row["site_ref"], []).append(row)
    for site in sites:
        ranked = sorted(
            by_site[refs[site.member_id]],
            key=lambda row: (
                not row["email"],
                row["email"].lower() in out,
                row["contact_ref"],
            ),
        )
        assert (site.email or "") == ranked[0]["email"].lower()
    await freeze(runtime, await saved(runtime, counts=Counts.DEALS))
    deals = (await published(runtime)).members
    assert len(deals) == 630
    assert all(deal.member_id == deal.deal_id for deal in deals)
    alone = sum(1 for row in sample("deals") if not row["contact_ref"])
    assert sum(1 for deal in deals if deal.contact_id is None) == alone


async def test_long_values_make_smaller_chunks(open_service: Open) -> None:
    runtime = await open_world(open_service)
    await runtime.pool.execute(
        "UPDATE sites SET name = repeat('€', 200), street = repeat('€', 200),"
        " town = repeat('€', 100)"
    )
    await freeze(runtime, await saved(runtime))
    found = await published(runtime)
    assert len(found.members) == 2_100
    assert 400 < len(found.chunks[0].members) < 450
    assert max(found.sizes) < MAX_MESSAGE_BYTES


async def test_an_empty_target_is_refused_and_refused_again(open_service: Open) -> None:
    runtime = await open_world(open_service)
    nowhere = where("site.town", Operator.EQUALS, "Nowhere")
    command = await freeze(runtime, await saved(runtime, nowhere))
    [(kind, body)] = await emitted(runtime)
    assert kind == TargetRefused.ce_type
    refused = TargetRefused.model_validate_json(body)
    assert refused.reason == "nobody is in this target: change the targeting"
    assert refused.snapshot_id == command.snapshot_id
    assert await runtime.execute(command) == [refused]


async def test_an_erasure_empties_a_person_everywhere_and_keeps_the_hash(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    command = await freeze(runtime, await saved(runtime))
    before = await published(runtime)
    address = "megan.marsh@hartley-engineering.example"
    key = recipient_key(SECRET.encode(), "email", address)
    async with runtime.uow.begin() as work:
        assert await erase(work, key, address.upper()) == 2
    async with runtime.uow.begin() as work:
        assert await erase(work, key, address) == 1, "the member is emptied again, and nobody else"
    for table in ("contacts", "snapshot_members", "employees", "deals"):
        found = await runtime.pool.fetchval(
            f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%'", address
        )
        assert found == 0, table
    await runtime.execute(command)
    await work_off(runtime)
    after = await published(runtime)
    assert after.frozen == before.frozen
    [member] = [m for m in after.members if m.recipient_key == key]
    assert (member.first_name, member.last_name, member.email) == ("", "", None)
    consent = await row_of(runtime, "SELECT * FROM consents WHERE recipient_key = $1", key)
    assert consent["opted_out"] is False


async def test_a_snapshot_travels_through_kafka_with_the_trace_of_who_asked(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    await emitted(runtime)
    await make_topics(
        runtime.settings, *runtime.topics, TARGETING_EVENTS, SNAPSHOTS, TARGETING_STATE
    )
    command = FreezeSnapshot(campaign_id=uuid4(), snapshot_id=uuid4(), targeting_id=targeting_id)
    async with running(runtime):
        await send(runtime, command, command, ids=["asked", "asked"])
        records = await read_topics(runtime, SNAPSHOTS.name, TARGETING_EVENTS.name, count=6)
    assert [name for name, _ in records].count(SnapshotChunk.ce_type) == 5
    assert {headers["ce_correlationid"] for _, headers in records} == {b"asked"}
    assert {headers["ce_causationid"] for _, headers in records} == {b"asked"}


async def read_topics(
    runtime: Runtime, *names: str, count: int
) -> list[tuple[str, dict[str, bytes]]]:
    """Return type and headers of the first ``count`` records of topics."""
    client = kafka.reader(runtime.settings, list(names))
    await client.start()
    found: list[tuple[str, dict[str, bytes]]] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                for records in (await client.getmany(timeout_ms=200)).values():
                    headers = [dict(record.headers) for record in records]
                    found += [(one["ce_type"].decode(), one) for one in headers]
    finally:
        await client.stop()
    return found


async def test_a_control_group_is_in_no_chunk_and_is_the_same_for_the_same_seed(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    group = ControlGroup(method=ControlMethod.RANDOM, size=10, seed="s")
    drawn = []
    for _ in range(2):
        command = await freeze(runtime, targeting_id, group)
        found = await published(runtime)
        [frozen] = found.frozen
        assert (frozen.members, frozen.control) == (1_890, 210)
        assert frozen.counts.persons == 2_100
        held = {
            row["member_id"]
            for row in await runtime.pool.fetch(
                "SELECT member_id FROM snapshot_controls WHERE snapshot_id = $1",
                command.snapshot_id,
            )
        }
        assert len(held) == 210
        assert not held & {member.member_id for member in found.members}
        drawn.append(held)
    assert drawn[0] == drawn[1]
    with pytest.raises(asyncpg.RaiseError, match="frozen snapshot cannot be deleted"):
        await runtime.pool.execute("DELETE FROM snapshot_controls")


@pytest.mark.parametrize("descending", [False, True])
async def test_the_first_after_a_sort_are_held_out_the_same_each_time(
    open_service: Open, *, descending: bool
) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    group = ControlGroup(
        method=ControlMethod.FIRST,
        unit=ControlUnit.MEMBERS,
        size=30,
        sort=ControlSort.CONTACT_LAST_NAME,
        descending=descending,
    )
    drawn = []
    for _ in range(2):
        command = await freeze(runtime, targeting_id, group)
        [frozen] = (await published(runtime)).frozen
        assert (frozen.members, frozen.control) == (2_070, 30)
        held = await runtime.pool.fetch(
            "SELECT member_id FROM snapshot_controls WHERE snapshot_id = $1", command.snapshot_id
        )
        drawn.append({row["member_id"] for row in held})
    expected = await runtime.pool.fetch(
        "SELECT contact_id FROM contacts ORDER BY last_name"
        f" {'DESC' if descending else 'ASC'}, contact_id LIMIT 30"
    )
    assert drawn[0] == drawn[1] == {row["contact_id"] for row in expected}


async def test_a_control_group_that_leaves_nobody_is_refused(open_service: Open) -> None:
    runtime = await open_world(open_service)
    everybody = ControlGroup(method=ControlMethod.FIRST, unit=ControlUnit.MEMBERS, size=2_100)
    await freeze(runtime, await saved(runtime), everybody)
    [(kind, body)] = await emitted(runtime)
    assert kind == TargetRefused.ce_type
    refused = TargetRefused.model_validate_json(body)
    assert refused.reason == "a control group of 2100 leaves nobody of 2100: make it smaller"
    assert await runtime.pool.fetchval("SELECT count(*) FROM snapshot_controls") == 0
