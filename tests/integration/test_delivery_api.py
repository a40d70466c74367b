"""The routes of the delivery service, the unsubscribe page, erasure, and invariants seen red."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.delivery.app import SERVICE, make_app
from services.delivery.erase import erase
from services.delivery.invariants import broken
from services.delivery.links import PROOF_LIFETIME, Link, last_day, proof_token, token_of
from shared.identity import HEADER, issue
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    actor,
    add_operators,
    approved,
    finished,
    first,
    member,
    part,
    prepare,
    said,
    sending,
    work_off,
)
from topics.delivery import ApprovalKind, ApprovalRequested, ApprovalState, DeliveryPrepared
from topics.targeting import RecordConsent


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    return await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        PUBLIC_URL="https://muster.example",
    )


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as found:
        yield found


def by(runtime: Runtime, operator: UUID) -> dict[str, str]:
    token = issue(
        runtime.settings.secret, actor(operator), audience="delivery", now=runtime.clock.now()
    )
    return {HEADER: token}


async def get(client: httpx.AsyncClient, runtime: Runtime, path: str, who: UUID = MANAGER) -> Any:
    answer = await client.get(f"/api/v1/delivery{path}", headers=by(runtime, who))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_delivery_is_prepared_approved_and_read_over_http(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await add_operators(runtime)
    case = Case([member("a@x.example"), member("a@x.example"), member("b@x.example")])
    fields = case.template().model_dump(mode="json", exclude={"actor"})
    saved = await client.post(
        "/api/v1/delivery/templates", json=fields, headers=by(runtime, MANAGER)
    )
    assert saved.status_code == 201
    [line] = await get(client, runtime, "/templates")
    assert line["content_hash"] == saved.json()["content_hash"]
    async with sending(runtime):
        await prepare(runtime, case)
        for chunk in case.chunks:
            await runtime.execute(chunk)
        await runtime.execute(case.proof())
        asked = await first(runtime, ApprovalRequested)
        path = f"/approvals/{asked.approval_id}"
        shown = await get(client, runtime, path, REVIEWER)
        assert shown["proof_path"].startswith("/p/")
        proof = f"/api/v1/delivery/deliveries/{case.delivery_id}/proof"
        preview = await client.get(proof, headers=by(runtime, REVIEWER))
        assert "For Moulin &lt;Neuf&gt;" in preview.text
        assert preview.headers["content-security-policy"].startswith("sandbox")
        answer = {"revision": asked.revision, "decision": "approve"}
        url = f"/api/v1/delivery{path}/decision"
        own = await client.post(url, json=answer, headers=by(runtime, MANAGER))
        assert (own.status_code, "ask another reviewer" in own.text) == (409, True)
        until = {"until": (runtime.clock.now() + timedelta(hours=1)).isoformat()}
        snooze = f"/api/v1/delivery{path}/snooze"
        put_off = await client.post(snooze, json=until, headers=by(runtime, REVIEWER))
        assert put_off.status_code == 200, put_off.text
        handed = {"to": str(uuid4())}
        delegation = f"/api/v1/delivery{path}/delegation"
        refused = await client.post(delegation, json=handed, headers=by(runtime, REVIEWER))
        assert (refused.status_code, "may not approve" in refused.text) == (409, True)
        decided = await client.post(url, json=answer, headers=by(runtime, REVIEWER))
        assert decided.json()["outcome"] == "approved"
        await runtime.execute(case.start())
        await finished(runtime, case)
    log = await get(client, runtime, f"/approvals/log?campaign_id={case.campaign_id}&limit=2")
    assert [one["event"] for one in log] == ["requested", "snoozed"]
    after = f"/approvals/log?campaign_id={case.campaign_id}&after={log[-1]['entry_id']}"
    assert [one["event"] for one in await get(client, runtime, after)] == ["approved"]
    delivery = await get(client, runtime, f"/deliveries/{case.delivery_id}")
    [run] = delivery["runs"]
    assert (run["state"], run["counts"]["sent"], run["counts"]["ignored"]) == ("finished", 2, 1)
    assert {"channel": "email", "outcome": "ignored", "reason": "double", "recipients": 1} in run[
        "groups"
    ]
    recipients = f"/runs/{case.run_id}/recipients"
    one, two = await get(client, runtime, f"{recipients}?outcome=sent")
    assert {one["address"], two["address"]} == {"a@x.example", "b@x.example"}
    page = await get(client, runtime, f"{recipients}?outcome=sent&after={one['member_id']}")
    assert [row["member_id"] for row in page] == [two["member_id"]]
    hidden = await get(client, runtime, recipients, REVIEWER)
    assert {row["address"] for row in hidden} == {None}
    assert await get(client, runtime, "/ambiguous") == []


async def test_every_route_asks_who_calls(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await add_operators(runtime)
    for path in ("/templates", "/deliveries", "/approvals", "/ambiguous"):
        assert (await client.get(f"/api/v1/delivery{path}")).status_code == 401
        stranger = await client.get(f"/api/v1/delivery{path}", headers=by(runtime, uuid4()))
        assert stranger.status_code == 403


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("subject", {"subject": "Hello {{ contact.first_name"}),
    ("body", {"body": "{% if %}"}),
    ("body", {"body": "<mjml><mj-body>", "mjml": True}),
    ("text", {"text": "{{ customer.name }}"}),
    ("from_address", {"from_address": "nobody"}),
    ("from_name", {"from_name": "a\r\nBcc: b@x.example"}),
    ("proof_recipients", {"proof_recipients": ("fine@x.example", "not fine")}),
]


async def test_a_template_that_cannot_work_is_refused_naming_the_field(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await add_operators(runtime)
    for field, wrong in WRONG:
        fields = Case([]).template(**wrong).model_dump(mode="json", exclude={"actor"})
        answer = await client.post(
            "/api/v1/delivery/templates", json=fields, headers=by(runtime, MANAGER)
        )
        assert (answer.status_code, answer.json()["field"]) == (409, field)
    fields = Case([]).template().model_dump(mode="json", exclude={"actor"})
    answer = await client.post(
        "/api/v1/delivery/templates", json=fields, headers=by(runtime, REVIEWER)
    )
    assert answer.status_code == 403
    assert await runtime.pool.fetchval("SELECT count(*) FROM templates") == 0


async def test_the_unsubscribe_link_shows_a_button_and_its_post_opts_out(
    client: httpx.AsyncClient, runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("leaver@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        await finished(runtime, case)
    [mail] = await catcher.to("leaver@x.example")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = mail["List-Unsubscribe"].strip("<>")
    assert re.fullmatch(r"https://muster\.example/u/[\w-]{68}", url)
    assert url in part(mail, "html")
    assert url in part(mail, "plain")
    page = await client.get(url, headers={"Accept-Language": "fr-FR"})
    assert "Se désabonner</button>" in page.text
    assert await runtime.pool.fetchval("SELECT count(*) FROM consents") == 0
    done = await client.post(url, content="List-Unsubscribe=One-Click")
    assert "no more of these" in done.text
    key = recipient_key(SECRET.encode(), "email", "leaver@x.example")
    row = await runtime.pool.fetchrow("SELECT recipient_key, opted_out FROM consents")
    assert row is not None
    assert (row["recipient_key"], row["opted_out"]) == (key, True)
    again = await client.post(url, content="List-Unsubscribe=One-Click")
    assert (again.status_code, again.text, again.history) == (200, done.text, [])
    [recorded] = await said(runtime, RecordConsent)
    assert (recorded.recipient_key, recorded.opted_out) == (key, True)


async def test_a_link_older_than_a_year_says_so_and_changes_nothing(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    today = runtime.clock.now().date()
    key = recipient_key(SECRET.encode(), "email", "a@x.example")
    over = token_of(SECRET.encode(), Link(key, uuid4(), today - timedelta(days=1)))
    french = {"Accept-Language": "fr"}
    for answer in (
        await client.get(f"/u/{over}", headers=french),
        await client.post(f"/u/{over}", headers=french),
    ):
        assert (answer.status_code, "plus d&#x27;un an" in answer.text) == (410, True)
        assert "<form" not in answer.text
    assert await runtime.pool.fetchval("SELECT count(*) FROM consents") == 0
    last = token_of(SECRET.encode(), Link(key, uuid4(), today))
    assert (await client.post(f"/u/{last}")).status_code == 200


async def test_a_recipient_who_opted_in_again_can_opt_out_by_an_earlier_link(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = recipient_key(SECRET.encode(), "email", "a@x.example")
    url = f"/u/{token_of(SECRET.encode(), Link(key, uuid4(), last_day(runtime.clock.now())))}"
    await client.post(url)
    await runtime.pool.execute("UPDATE consents SET opted_out = false")
    await client.post(url)
    assert await runtime.pool.fetchval("SELECT opted_out FROM consents")
    assert len(await said(runtime, RecordConsent)) == 2


async def test_a_forged_link_and_the_link_of_a_proof_change_nothing(
    client: httpx.AsyncClient, runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    [proof] = await catcher.to(f"proof@{case.domain}")
    assert "https://muster.example/u/proof" in part(proof, "html")
    assert proof["List-Unsubscribe"] is None
    assert (await client.post("/u/proof")).status_code == 200
    for token in ("A" * 64, "%20", "Zm9v", "é"):
        assert (await client.post(f"/u/{token}")).status_code == 404
    assert await runtime.pool.fetchval("SELECT count(*) FROM consents") == 0


async def test_a_proofs_link_shows_it_in_a_closed_frame_for_seven_days(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    path = await runtime.pool.fetchval("SELECT proof_path FROM approvals")
    assert re.fullmatch(r"/p/[\w-]{48}", path)
    page = await client.get(path, headers={"Accept-Language": "fr"})
    assert "<h1>BAT 1 de C-" in page.text
    assert f'<iframe sandbox src="{path}/message"' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert "For Moulin" not in page.text.partition("<details>")[0]
    message = await client.get(f"{path}/message")
    assert "For Moulin &lt;Neuf&gt;" in message.text
    policy = message.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert message.headers["referrer-policy"] == "no-referrer"

    later = proof_token(
        SECRET.encode(),
        UUID(int=1),
        now=runtime.clock.now() - PROOF_LIFETIME - timedelta(seconds=1),
    )
    assert (await client.get(f"/p/{later}")).status_code == 410
    assert (await client.get(f"/p/{later}/message")).status_code == 404


async def test_whether_doubles_are_sent_to_is_part_of_template_approval_and_proof(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await add_operators(runtime)
    case = Case([member("a@x.example")])
    fields = case.template(send_doubles=True).model_dump(mode="json", exclude={"actor"})
    saved = await client.post(
        "/api/v1/delivery/templates", json=fields, headers=by(runtime, MANAGER)
    )
    assert saved.status_code == 201
    assert (await get(client, runtime, f"/templates/{case.template_id}"))["send_doubles"]
    async with sending(runtime):
        [prepared] = await runtime.execute(case.prepare())
        assert isinstance(prepared, DeliveryPrepared)
        assert prepared.send_doubles
        for chunk in case.chunks:
            await runtime.execute(chunk)
        await runtime.execute(case.proof())
        asked = await first(runtime, ApprovalRequested)
    shown = await get(client, runtime, f"/approvals/{asked.approval_id}", REVIEWER)
    assert shown["send_doubles"]
    page = await client.get(shown["proof_path"], headers={"accept-language": "fr"})
    assert "<dt>Doublons</dt>" in page.text


async def test_what_is_noticed_in_a_proof_is_shown_and_blocks_nothing(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    body = '<p>Come and see us, {{ contact.first_name }}</p><img src="http://x.example/1.png">'
    personal = '<a href="http://shop.example/{{ contact.first_name }}">Go</a>'
    case = Case([member("a@x.example", first_name="Zenobia")])
    async with sending(runtime):
        await approved(
            runtime, case, subject="COME RIGHT NOW", body=body + personal, track_clicks=True
        )
        await runtime.execute(case.start())
        await finished(runtime, case)
    [state] = (await said(runtime, ApprovalState))[:1]
    assert [one.code for one in state.warnings] == [
        "no_unsubscribe_link",
        "link_http",
        "picture_http",
        "picture_without_alt",
        "subject_shouts",
    ]
    assert "(http://x.example/1.png)" in state.warnings[2].text
    assert "(link 1)" in state.warnings[1].text
    assert "Zenobia" not in state.model_dump_json()
    shown = await get(client, runtime, f"/approvals/{state.approval_id}", REVIEWER)
    assert shown["warnings"] == [one.model_dump() for one in state.warnings]
    page = await client.get(shown["proof_path"], headers={"accept-language": "fr"})
    assert "<h2>À vérifier</h2><ul><li>Le modèle n’a pas de lien" in page.text


async def test_a_message_that_takes_too_long_to_read_says_so_and_its_proof_is_sent(
    runtime: Runtime,
) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        body = '<a href="{{ unsubscribe_url }}">Stop</a>' + "<!--" * 60_000
        text = "Come and see us, or {{ unsubscribe_url }}"
        await approved(runtime, case, body=body, text=text)
    assert [one.code for one in (await said(runtime, ApprovalState))[0].warnings] == ["not_checked"]


async def test_only_its_own_link_shows_a_proof(client: httpx.AsyncClient, runtime: Runtime) -> None:
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
    now = runtime.clock.now()
    proof_id = await runtime.pool.fetchval("SELECT proof_id FROM proofs")
    link = Link(recipient_key(SECRET.encode(), "email", "a@x.example"), proof_id, last_day(now))
    for token in (
        proof_token(b"another secret, as long", proof_id, now=now),
        proof_token(SECRET.encode(), uuid4(), now=now),
        token_of(SECRET.encode(), link),
        "A" * 48,
        "é",
    ):
        for path in (f"/p/{token}", f"/p/{token}/message"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "For Moulin" not in answer.text
    own = proof_token(SECRET.encode(), proof_id, now=now)
    assert (await client.post(f"/u/{own}")).status_code == 404


async def test_a_proofs_letter_stands_behind_its_link_until_its_person_is_erased(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    plain, case = Case([member("b@x.example")]), Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, plain)
        await approved(runtime, case, service=False, letter="Dear #data.contact.first_name.")
    states = {
        one.campaign_id: one
        for one in await said(runtime, ApprovalState)
        if one.kind is ApprovalKind.PROOF
    }
    without, proof = states[plain.campaign_id], states[case.campaign_id]
    assert (without.has_letter, proof.has_letter) == (False, True)
    shown = await client.get(f"{proof.proof_path}/letter")
    assert shown.content.startswith(b"%PDF-")
    assert shown.headers["content-type"] == "application/pdf"
    assert shown.headers["x-content-type-options"] == "nosniff"
    page = await client.get(proof.proof_path or "")
    assert f'href="{proof.proof_path}/letter"' in page.text
    assert "/letter" not in (await client.get(without.proof_path or "")).text
    assert (await client.get(f"{without.proof_path}/letter")).status_code == 404
    assert (await client.get(f"/p/{'A' * 48}/letter")).status_code == 404
    key = recipient_key(SECRET.encode(), "email", "a@x.example")
    async with runtime.uow.begin() as work:
        await erase(work, key, "a@x.example")
    assert (await client.get(f"{proof.proof_path}/letter")).status_code == 404
    assert await runtime.pool.fetchval("SELECT count(letter) FROM proofs") == 0


async def test_erasing_a_person_leaves_counts_and_no_address(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("gone@x.example", first_name="Zoltan"), member("stays@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        await finished(runtime, case)
    await work_off(runtime)
    key = recipient_key(SECRET.encode(), "email", "gone@x.example")
    later = Case([member("gone@x.example", first_name="Zoltan")])
    for chunk in later.chunks:
        await runtime.execute(chunk)
    async with runtime.uow.begin() as work:
        assert await erase(work, key, "Gone@x.example") == 3
        assert await erase(work, key, "Gone@x.example") == 0
    for table in ("ledger", "snapshot_chunks", "proofs", "attempts", "runs", "templates"):
        rows = await runtime.pool.fetch(f"SELECT * FROM {table}")
        assert "zoltan" not in str(rows).lower()
        assert "gone@" not in str(rows).lower()
    async with runtime.pool.acquire() as connection:
        assert await broken(connection) == []
    assert len(await catcher.to("stays@x.example")) == 1


DAMAGES = {
    "UPDATE ledger SET address = 'a@x.example' WHERE NOT urgent": "I1 one message",
    "DELETE FROM ledger WHERE address = 'a@x.example'": "I2 every member",
    "UPDATE ledger SET outcome = 'pending' WHERE NOT urgent": "I2 finished only",
    """UPDATE runs SET counts = counts || '{"sent": 9}'""": "I2 the totals",
    "UPDATE ledger SET attempts = 0": "I3 a message that was sent",
    "UPDATE ledger SET outcome = 'pending' WHERE address = 'b@x.example'": "I3 what is pending",
    "INSERT INTO attempts SELECT run_id, member_id, 9, owner, started_at, ended_at, outcome, code"
    " FROM attempts": "I3 a message was accepted twice",
    "INSERT INTO consents SELECT recipient_key, 'email', true, now(), now() - interval '1 hour'"
    " FROM ledger WHERE NOT urgent": "I5 nothing is sent",
    "UPDATE approvals SET content_hash = 'another'": "I6",
    "UPDATE approvals SET outcome = 'rejected'": "I6",
}


async def test_an_invariant_names_the_rows_that_break_it(runtime: Runtime) -> None:
    case = Case([member("a@x.example"), member("b@x.example")])
    async with sending(runtime):
        await approved(runtime, case)
        await runtime.execute(case.start())
        await finished(runtime, case)
    async with runtime.pool.acquire() as connection:
        assert await broken(connection) == []
        for damage, invariant in DAMAGES.items():
            undone = connection.transaction()
            await undone.start()
            await connection.execute(damage)
            lines = await broken(connection)
            assert any(line.startswith(invariant) for line in lines), (invariant, lines)
            await undone.rollback()
        assert await broken(connection) == []
