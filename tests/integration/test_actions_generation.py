"""Generating actions, deals and dossier items from snapshots, against a real database."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.actions.app import SERVICE
from services.actions.generation import forget_step, generate_slices, generate_step
from services.actions.invariants import broken
from tests.conftest import Open
from tests.instances import Instance
from tests.integration.actions_story import Story, emitted
from tests.unit.actions.samples import (
    MANAGER,
    REVIEWER,
    a_generation,
    a_member,
    a_model,
    chunks_of,
)
from topics.actions import (
    ActionCounts,
    ActionModelState,
    ActionsCompleted,
    ActionsGenerated,
    ActionsRefused,
    Filing,
    ModelKind,
    SetLinked,
)
from topics.targeting import Counts


@pytest.fixture
async def story(open_service: Open) -> Story:
    return Story(await open_service(SERVICE))


async def test_contacts_have_an_action_each_and_their_site_one_deal(story: Story) -> None:
    call = a_model(delay_days=3)
    offer = a_model(ModelKind.DEAL_ON_SITE, product="Heat pump", recipient="Olga Owner")
    await story.prepare(call, offer)
    await story.generate([a_member(n, site=n // 2) for n in range(10)], call, offer)
    done = await story.completed()
    assert done.counts == ActionCounts(generated=10, waiting=10, deals=5)
    assert (done.organisations, done.persons) == (5, 10)
    row = await story.runtime.pool.fetchrow("SELECT product, offer_owner FROM deals LIMIT 1")
    assert row is not None
    assert tuple(row) == ("Heat pump", "Olga Owner")
    await story.check()


async def test_the_due_day_is_the_start_plus_the_models_delay(story: Story) -> None:
    call = a_model(delay_days=3)
    await story.prepare(call)
    await story.generate([a_member(1)], call)
    days = await story.runtime.pool.fetchval("SELECT due_on - created_at::date FROM actions")
    assert days == 3


async def test_a_model_leaves_out_members_it_does_not_fit(story: Story) -> None:
    call, follow_up = a_model(), a_model(ModelKind.ACTION_ON_DEAL)
    await story.prepare(call, follow_up)
    mixed = [a_member(1, kind=Counts.SITES), a_member(2), a_member(3, kind=Counts.DEALS)]
    await story.generate(mixed, call, follow_up)
    rows = await story.runtime.pool.fetch("SELECT model_id, count(*) FROM actions GROUP BY 1")
    assert {row["model_id"]: row["count"] for row in rows} == {
        call.model_id: 2,
        follow_up.model_id: 1,
    }


@pytest.mark.parametrize(
    ("filing", "items"), [(Filing.NONE, 0), (Filing.PER_CONTACT, 4), (Filing.ONE_FOR_ALL, 1)]
)
async def test_dossier_items_are_none_one_per_contact_or_one_for_the_whole_action(
    story: Story, filing: Filing, items: int
) -> None:
    follow_up = a_model(ModelKind.ACTION_ON_DEAL, filing=filing, processed=True)
    await story.prepare(follow_up)
    # Two deals of one contact: two actions, and one item for the contact.
    deals = [a_member(n, kind=Counts.DEALS) for n in range(4)]
    twice = deals[0].model_copy(update={"member_id": uuid4()})
    await story.generate([*deals, twice], follow_up)
    done = await story.completed()
    assert (done.counts.generated, done.counts.dossier_items) == (5, items)
    unprocessed = "SELECT count(*) FROM dossier_items WHERE NOT processed OR processed_at IS NULL"
    assert await story.runtime.pool.fetchval(unprocessed) == 0
    await story.check()


async def test_slices_may_come_twice_out_of_order_and_before_or_after_the_command(
    story: Story,
) -> None:
    call, snapshot_id = a_model(), uuid4()
    await story.prepare(call)
    chunks = chunks_of(story.campaign_id, snapshot_id, [a_member(n) for n in range(25)], size=10)
    for chunk in (chunks[2], chunks[0], chunks[2]):
        await story.runtime.execute(chunk)
    command = a_generation(story.campaign_id, snapshot_id, len(chunks), call.model_id)
    await story.runtime.execute(command)
    await story.runtime.execute(command)
    assert await story.work() == 0, "a slice is missing: nothing may be generated yet"
    await story.runtime.execute(chunks[1])
    await story.work()
    assert (await story.completed()).counts.generated == 25
    await story.check()


async def test_a_second_run_makes_actions_only_of_members_that_have_none(story: Story) -> None:
    call = a_model()
    await story.prepare(call)
    await story.generate([a_member(n) for n in range(5)], call)
    run_id = await story.generate([a_member(n) for n in range(3, 9)], call)
    counts = [event.actions for event in await emitted(story.runtime, ActionsGenerated)]
    assert counts == [5, 4]
    rows = "SELECT count(*) FROM actions WHERE run_id = $1"
    assert await story.runtime.pool.fetchval(rows, run_id) == 4
    await story.check()


async def test_two_replicas_generate_each_member_once(story: Story) -> None:
    call = a_model(filing=Filing.PER_CONTACT)
    await story.prepare(call)
    story_of_another = Story(story.runtime)
    for one in (story, story_of_another):
        snapshot_id, chunks = await one.freeze([a_member(n) for n in range(300)], size=10)
        await one.runtime.execute(a_generation(one.campaign_id, snapshot_id, chunks, call.model_id))
    await asyncio.gather(story.work(), story.work(), story_of_another.work())
    assert await story.runtime.pool.fetchval("SELECT count(*) FROM actions") == 600
    await story.check()


async def test_a_step_that_was_cut_off_is_done_again_whole(story: Story) -> None:
    call = a_model()
    await story.prepare(call)
    snapshot_id, chunks = await story.freeze([a_member(n) for n in range(50)], size=1)
    await story.runtime.execute(a_generation(story.campaign_id, snapshot_id, chunks, call.model_id))
    assert chunks == 50
    await generate_step(story.runtime.uow)
    with pytest.raises(ConnectionError):
        await a_step_that_dies_before_its_commit(story)
    await story.work()
    indexes = [event.index for event in await emitted(story.runtime, ActionsGenerated)]
    assert indexes == [0, 40]
    assert (await story.completed()).counts.generated == 50
    await story.check()


async def a_step_that_dies_before_its_commit(story: Story) -> None:
    async with story.runtime.uow.begin() as work:
        assert await generate_slices(work)
        raise ConnectionError("killed before the commit")


async def test_an_unlinked_member_has_no_action_and_does_not_count(story: Story) -> None:
    call, offer = a_model(filing=Filing.PER_CONTACT), a_model(ModelKind.DEAL_ON_SITE)
    await story.prepare(call, offer)
    members = [a_member(n) for n in range(4)]
    cut = SetLinked(
        campaign_id=story.campaign_id, member_id=members[0].member_id, linked=False, actor=MANAGER
    )
    await story.runtime.execute(cut)
    other = cut.model_copy(update={"member_id": members[1].member_id})
    await story.runtime.execute(other)
    await story.runtime.execute(other.model_copy(update={"linked": True}))
    await story.generate(members, call, offer)
    done = await story.completed()
    assert done.counts == ActionCounts(generated=3, waiting=3, deals=3, dossier_items=3)
    assert (done.organisations, done.persons) == (3, 3)


async def test_a_member_whose_action_is_generated_cannot_be_unlinked(story: Story) -> None:
    call = a_model()
    await story.prepare(call)
    await story.generate([a_member(1)], call)
    cut = SetLinked(
        campaign_id=story.campaign_id, member_id=a_member(1).member_id, linked=False, actor=MANAGER
    )
    (answer,) = await story.runtime.execute(cut)
    assert isinstance(answer, ActionsRefused)
    assert "cancel them" in answer.reason
    assert await story.runtime.execute(cut.model_copy(update={"member_id": uuid4()})) == []


async def test_an_empty_snapshot_completes_with_nothing(story: Story) -> None:
    call = a_model()
    await story.prepare(call)
    await story.generate([], call)
    assert (await story.completed()).counts == ActionCounts()


async def test_a_run_over_unknown_models_is_refused(story: Story) -> None:
    command = a_generation(story.campaign_id, uuid4(), 0, uuid4())
    (answer,) = await story.runtime.execute(command)
    assert isinstance(answer, ActionsRefused)
    assert answer.subject_id == story.campaign_id


async def test_an_edit_of_a_model_changes_nothing_in_a_run_under_way(story: Story) -> None:
    call = a_model(label="Call")
    await story.prepare(call)
    snapshot_id, chunks = await story.freeze([a_member(1)])
    await story.runtime.execute(a_generation(story.campaign_id, snapshot_id, chunks, call.model_id))
    (state,) = await story.runtime.execute(call.model_copy(update={"label": "Visit"}))
    assert isinstance(state, ActionModelState)
    assert state.version == 2
    await story.work()
    assert await story.runtime.pool.fetchval("SELECT label FROM generation_models") == "Call"


async def test_a_model_needs_the_right_and_a_code_of_its_own(story: Story) -> None:
    call = a_model(code="CALL")
    await story.prepare(call)
    for refused in (a_model(actor=REVIEWER), a_model(code="CALL")):
        (answer,) = await story.runtime.execute(refused)
        assert isinstance(answer, ActionsRefused)
        assert answer.subject_id == refused.model_id


async def test_members_are_forgotten_when_no_run_needs_them(story: Story) -> None:
    call = a_model()
    await story.prepare(call)
    snapshot_id, chunks = await story.freeze([a_member(1)])
    await story.runtime.execute(
        a_generation(story.campaign_id, snapshot_id, chunks + 1, call.model_id)
    )
    await story.freeze([a_member(2)])
    await story.runtime.pool.execute("UPDATE member_chunks SET received_at = '2020-01-01'")
    await forget_step(story.runtime.uow, 30)
    left = await story.runtime.pool.fetch("SELECT snapshot_id FROM members")
    assert [row["snapshot_id"] for row in left] == [snapshot_id]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DELETE FROM actions WHERE action_id = (SELECT action_id FROM actions LIMIT 1)", "I2"),
        ("UPDATE actions SET status = 'executed'", "a state has its date"),
        ("DELETE FROM deals", "a run's counts are its rows"),
        ("UPDATE generation_jobs SET next_chunk = 0", "has generated all its slices"),
    ],
)
async def test_a_broken_row_is_named_by_its_invariant(
    story: Story, damage: str, named: str
) -> None:
    call, offer = a_model(), a_model(ModelKind.DEAL_ON_SITE)
    await story.prepare(call, offer)
    await story.generate([a_member(n) for n in range(3)], call, offer)
    await story.check()
    await story.runtime.pool.execute(damage)
    async with story.runtime.pool.acquire() as connection:
        assert any(named in line for line in await broken(connection))


async def test_an_action_made_twice_is_found_when_the_unique_index_is_gone(
    story: Story, instance: Instance
) -> None:
    call = a_model()
    await story.prepare(call)
    await story.generate([a_member(1)], call)
    owner = await asyncpg.connect(instance.database_url)
    await owner.execute("DROP INDEX actions.actions_once")
    await owner.execute(
        "INSERT INTO actions.actions SELECT (jsonb_populate_record(a,"
        " jsonb_build_object('action_id', gen_random_uuid()))).* FROM actions.actions a"
    )
    await owner.close()
    async with story.runtime.pool.acquire() as connection:
        lines = await broken(connection)
    assert any(line.startswith("actions exactly once") for line in lines)


async def test_fifty_thousand_members_are_generated_in_bounded_steps(story: Story) -> None:
    call = a_model()
    await story.prepare(call)
    number = 50_000
    snapshot_id, chunks = uuid4(), number // 500
    await fill(story, snapshot_id, number)
    await story.runtime.execute(a_generation(story.campaign_id, snapshot_id, chunks, call.model_id))
    started = time.perf_counter()
    steps = await story.work()
    elapsed = time.perf_counter() - started
    print(f"\nactions generated: {number / elapsed:,.0f} rows/s in {steps} steps")  # noqa: T201
    generated = await emitted(story.runtime, ActionsGenerated)
    assert [event.actions for event in generated] == [20_000, 20_000, 10_000]
    assert (await story.completed()).persons == number
    await story.check()


async def fill(story: Story, snapshot_id: UUID, number: int) -> None:
    """Make a snapshot's members in the database, as slices of 500."""
    await story.runtime.pool.execute(
        "INSERT INTO member_chunks SELECT $1, n, $2, 500, now()"
        " FROM generate_series(0, $3::int / 500 - 1) n",
        *(snapshot_id, story.campaign_id, number),
    )
    await story.runtime.pool.execute(
        "INSERT INTO members SELECT $1, n / 500 * 1000 + n % 500,"
        " ('01990000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'contacts',"
        " gen_random_uuid(), gen_random_uuid(), NULL, 'Site ' || n, '59000', 'Lille',"
        " '+33 3 20 00 00 00', 'Anne Person ' || n, '', '06', 'person' || n || '@sample.example'"
        " FROM generate_series(0, $2 - 1) n",
        *(snapshot_id, number),
    )


async def test_a_second_run_makes_nothing_twice_and_reaches_only_those_who_are_new(
    story: Story,
) -> None:
    call, offer = a_model(filing=Filing.PER_CONTACT), a_model(ModelKind.DEAL_ON_SITE)
    await story.prepare(call, offer)
    await story.generate([a_member(n, site=n // 2) for n in range(4)], call, offer)
    await story.generate([a_member(n, site=n // 2) for n in range(1, 7)], call, offer)
    again = (await emitted(story.runtime, ActionsCompleted))[-1]
    assert again.counts == ActionCounts(generated=7, waiting=7, deals=4, dossier_items=7)
    assert (again.organisations, again.persons) == (2, 3)
    await story.check()
