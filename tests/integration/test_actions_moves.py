"""Moving actions, lists, exports, dossier items, erasing: against a real database."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from services.actions import moving
from services.actions.app import SERVICE
from services.actions.erase import erase
from shared import identity
from shared.clock import DrivenClock
from shared.http import create_app
from tests.conftest import Open
from tests.integration.actions_story import Story, emitted
from tests.unit.actions.samples import MANAGER, REVIEWER, a_generation, a_member, a_model
from topics.actions import (
    ActionMove,
    ActionsMoved,
    ActionsRefused,
    Filing,
    ModelKind,
    MoveActions,
)
from topics.message import Actor

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOON)


@pytest.fixture
async def story(open_service: Open, clock: DrivenClock) -> Story:
    """Ten contacts with an action each, a deal a site, and a dossier item a contact."""
    told = Story(await open_service(SERVICE, clock=clock))
    call = a_model(label="Call", reason="Renewal", filing=Filing.PER_CONTACT, delay_days=2)
    offer = a_model(ModelKind.DEAL_ON_SITE, business_line="Énergie")
    await told.prepare(call, offer)
    await told.generate([a_member(n) for n in range(10)], call, offer)
    return told


async def test_an_action_goes_its_way_and_the_totals_follow(story: Story) -> None:
    first, second, *_ = await story.ids()
    await story.move(ActionMove.EXECUTE, first, report="Reached, wants an offer")
    await story.move(ActionMove.FINISH, first)
    await story.move(ActionMove.SUSPEND, second)
    await story.move(ActionMove.CANCEL)
    moved = await emitted(story.runtime, ActionsMoved)
    counts = moved[-1].counts
    assert (counts.generated, counts.finished, counts.cancelled, counts.waiting) == (10, 1, 9, 0)
    revisions = [event.revision for event in moved]
    assert revisions == sorted(set(revisions))
    row = await story.runtime.pool.fetchrow(
        "SELECT report, executed_at, finished_at FROM actions WHERE action_id = $1", first
    )
    assert row is not None
    assert tuple(row) == ("Reached, wants an offer", NOON, NOON)
    await story.check()


async def test_a_move_takes_those_that_can_and_refuses_when_none_can(story: Story) -> None:
    first, second, *_ = await story.ids()
    await story.move(ActionMove.CANCEL, first)
    (moved,) = await story.move(ActionMove.EXECUTE, first, second)
    assert isinstance(moved, ActionsMoved)
    assert moved.moved == 1
    (refused,) = await story.move(ActionMove.EXECUTE, first, second)
    assert isinstance(refused, ActionsRefused)
    assert refused.reason.endswith("an action must be waiting")
    await story.check()


async def test_ids_of_another_campaign_are_refused(story: Story) -> None:
    first, *_ = await story.ids()
    elsewhere = Story(story.runtime)
    (refused,) = await elsewhere.move(ActionMove.CANCEL, first, uuid4())
    assert isinstance(refused, ActionsRefused)
    assert "2 of these 2" in refused.reason
    assert len(await story.ids()) == 10


async def test_only_who_may_work_on_actions_moves_them(story: Story) -> None:
    command = MoveActions(
        campaign_id=story.campaign_id, move=ActionMove.CANCEL, actor=REVIEWER, action_ids=None
    )
    (refused,) = await story.runtime.execute(command)
    assert isinstance(refused, ActionsRefused)
    assert len(await story.ids()) == 10


async def test_a_large_move_goes_in_chunks_and_later_moves_wait_their_turn(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "ROWS_PER_STEP", 4)
    first, *_ = await story.ids()
    assert await story.move(ActionMove.SUSPEND) == [], "too many for one transaction: queued"
    assert await story.move(ActionMove.RESUME, first) == [], "asked later: done later"
    await story.work()
    moved = await emitted(story.runtime, ActionsMoved)
    assert [(event.move, event.moved) for event in moved] == [
        (ActionMove.SUSPEND, 4),
        (ActionMove.SUSPEND, 4),
        (ActionMove.SUSPEND, 2),
        (ActionMove.RESUME, 1),
    ]
    assert await story.ids() == [first]
    await story.check()


async def test_all_waits_for_the_generation_under_way_and_takes_its_actions_too(
    story: Story,
) -> None:
    more = a_model()
    await story.prepare(more)
    snapshot_id, chunks = await story.freeze([a_member(n) for n in range(3)])
    await story.runtime.execute(a_generation(story.campaign_id, snapshot_id, chunks, more.model_id))
    assert await story.move(ActionMove.CANCEL) == []
    await story.work()
    assert len(await story.ids("cancelled")) == 13
    await story.check()


async def test_a_queued_move_that_finds_nothing_is_refused(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "ROWS_PER_STEP", 4)
    await story.move(ActionMove.CANCEL)
    assert await story.move(ActionMove.EXECUTE) == []
    await story.work()
    (refused,) = await emitted(story.runtime, ActionsRefused)
    assert refused.subject_id == story.campaign_id
    assert len(await story.ids("cancelled")) == 10


@pytest.fixture
async def http(story: Story) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(story, MANAGER) as client:
        yield client


def caller(story: Story, actor: Actor) -> httpx.AsyncClient:
    runtime = story.runtime
    token = identity.issue(
        runtime.settings.secret, actor, audience="actions", now=runtime.clock.now()
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(runtime)),
        base_url=f"http://actions/api/v1/actions/campaigns/{story.campaign_id}",
        headers={identity.HEADER: token},
    )


async def test_next_actions_come_page_by_page_the_earliest_due_first(
    story: Story, http: httpx.AsyncClient
) -> None:
    ids = await story.ids()
    await story.runtime.pool.execute(
        "UPDATE actions SET due_on = '2026-03-01' WHERE action_id = $1", ids[7]
    )
    await story.move(ActionMove.EXECUTE, ids[0])
    seen: list[UUID] = []
    after = None
    while True:
        params = {"limit": "4"} | ({"after": after} if after else {})
        page = (await http.get("/actions/next", params=params)).json()
        seen += [UUID(row["action_id"]) for row in page["actions"]]
        after = page["after"]
        if after is None:
            break
    assert seen == [ids[7], *[one for one in ids[1:] if one != ids[7]]]


async def test_a_waiting_action_is_overdue_the_day_after_and_an_executed_one_never(
    story: Story, clock: DrivenClock
) -> None:
    first, *_ = await story.ids()
    await story.move(ActionMove.EXECUTE, first)
    clock.advance(timedelta(days=2))
    async with caller(story, MANAGER) as client:
        rows = (await client.get("/actions/results")).json()["actions"]
    assert not any(row["overdue"] for row in rows)
    clock.advance(timedelta(days=1))
    async with caller(story, MANAGER) as client:
        rows = (await client.get("/actions/results")).json()["actions"]
        done = (await client.get("/actions/results", params={"status": "executed"})).json()
    assert [row["overdue"] for row in rows] == [False] + [True] * 9
    assert [row["action_id"] for row in done["actions"]] == [str(first)]


async def test_a_list_is_exported_as_csv_that_no_spreadsheet_runs(
    story: Story, http: httpx.AsyncClient
) -> None:
    first, *_ = await story.ids()
    await story.move(ActionMove.EXECUTE, first, report='=HYPERLINK("http://evil")')
    answer = await http.get("/export/results.csv", params={"language": "fr"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 10
    assert rows[0]["Compte rendu"].startswith("'=")
    assert rows[0]["Téléphone"].startswith("'+33")
    assert rows[0]["Date d'exécution"] == "2026-03-02 12:00"
    assert rows[0]["Motif"] == "Renewal"
    assert list(rows[0])[5] == "Date d'échéance"


async def test_an_html_export_escapes_and_colours(story: Story, http: httpx.AsyncClient) -> None:
    first, second, *_ = await story.ids()
    await story.move(ActionMove.EXECUTE, first, report="<script>")
    await story.move(ActionMove.CANCEL, second)
    text = (await http.get("/export/results.html")).text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert '<tr class="executed">' in text
    assert '<tr class="cancelled">' in text


async def test_deals_obtained_have_their_columns(http: httpx.AsyncClient) -> None:
    page = (await http.get("/deals", params={"limit": "7"})).json()
    assert len(page["deals"]) == 7
    assert page["deals"][0]["business_line"] == "Énergie"
    rest = (await http.get("/deals", params={"after": page["after"]})).json()
    assert len(rest["deals"]) == 3
    exported = (await http.get("/export/deals.csv", params={"language": "fr"})).text
    assert exported.splitlines()[0].startswith("Métier,Marché,Responsable de l'offre")


async def test_a_processed_dossier_item_leaves_the_to_do_list(
    story: Story, http: httpx.AsyncClient
) -> None:
    items = (await http.get("/dossier-items")).json()["items"]
    path = f"/dossier-items/{items[0]['item_id']}/processed"
    assert (await http.post(path, json={"processed": True})).status_code == 204
    to_do = (await http.get("/dossier-items", params={"processed": "false"})).json()["items"]
    assert len(to_do) == 9
    async with caller(story, REVIEWER) as client:
        assert (await client.post(path, json={"processed": False})).status_code == 403
        assert len((await client.get("/dossier-items")).json()["items"]) == 10
    missing = await http.post(f"/dossier-items/{uuid4()}/processed", json={"processed": True})
    assert missing.status_code == 404


async def test_moves_and_models_work_over_http(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/moves", json={"move": "cancel"})).json()
    assert (answer["moved"], answer["counts"]["cancelled"]) == (10, 10)
    refused = await http.post("/moves", json={"move": "cancel"})
    assert refused.status_code == 409
    body = {"code": "VISIT", "label": "Visit", "kind": "action_on_site"}
    root = str(http.base_url).split("/campaigns")[0]
    assert (await http.post(f"{root}/models", json=body)).json()["version"] == 1
    taken = await http.post(f"{root}/models", json=body)
    assert taken.status_code == 409
    assert len((await http.get(f"{root}/models")).json()) == 3
    wrong = await http.get("/actions/next", params={"after": "nonsense"})
    assert wrong.status_code == 409


async def test_nobody_reads_without_an_identity(story: Story, http: httpx.AsyncClient) -> None:
    assert (await http.get("/counts", headers={identity.HEADER: ""})).status_code == 401
    stranger = MANAGER.model_copy(update={"id": str(uuid4())})
    async with caller(story, stranger) as client:
        assert (await client.get("/counts")).status_code == 403


async def test_an_erased_person_is_nowhere_left_and_the_totals_still_add_up(story: Story) -> None:
    first, *_ = await story.ids()
    await story.move(ActionMove.EXECUTE, first, report="Called Anne Person 0")
    async with story.runtime.uow.begin() as work:
        assert await erase(work, "key", " Person0@Sample.Example ") == 4
    for table in ("members", "actions", "deals", "dossier_items"):
        text = await story.runtime.pool.fetchval(f"SELECT string_agg(t::text, ' ') FROM {table} t")
        assert "person0@" not in text
        assert "Person 0" not in text
        assert "person1@" in text
    await story.check()
