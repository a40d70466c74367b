"""The start page: who sees it, what it shows, in which language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.web.sessions import COOKIE
from tests.conftest import Open
from tests.integration.web_edge import Edge, open_edge
from topics.budget import BudgetState
from topics.campaign import CampaignState, CampaignStatus, Synthesis
from topics.delivery import ApprovalKind, ApprovalOutcome, ApprovalState
from topics.message import Actor, Via
from topics.operators import Role
from topics.workflows import (
    Control,
    ControlWorkflow,
    Trouble,
    TroubleCleared,
    TroubleRaised,
    WorkflowState,
    WorkflowStatus,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CAMPAIGN = UUID(int=1042)


def a_campaign(version: int = 1, **more: object) -> CampaignState:
    base = CampaignState(
        version=version,
        campaign_id=CAMPAIGN,
        number=1042,
        label="Spring <b>sale</b>",
        status=CampaignStatus.RUNNING,
        start_at=datetime(2027, 1, 15, 8, tzinfo=UTC),
        end_at=datetime(2027, 4, 15, 8, tzinfo=UTC),
        zone="Europe/Paris",
        manager_id="m",
        synthesis=Synthesis(targeted=2000, messages_targeted=1800, messages_sent=1234),
        waiting_for="waits for deliveryMgt, which is stopped",
        waiting_code="waits_workflow",
        waiting_values={"workflow": "deliveryMgt", "status": "stopped"},
        waiting_workflow="deliveryMgt",
        created_at=NOW,
        modified_at=NOW,
    )
    return base.model_copy(update=more)


def an_approval(version: int, outcome: ApprovalOutcome) -> ApprovalState:
    return ApprovalState(
        version=version,
        approval_id=UUID(int=7),
        campaign_id=CAMPAIGN,
        campaign_number=1042,
        campaign_label="Spring",
        revision=1,
        kind=next(iter(ApprovalKind)),
        outcome=outcome,
        count=1800,
        content_hash="c",
        snapshot_hash="s",
        requested_by="m",
        requested_at=NOW,
        deadline_at=NOW + timedelta(days=3),
        reviewer_ids=(),
    )


def a_workflow(status: WorkflowStatus = WorkflowStatus.STOPPED) -> WorkflowState:
    return WorkflowState(
        version=2,
        name="deliveryMgt",
        service="delivery",
        label="Delivery jobs",
        label_fr="Traitements des diffusions",
        package="Campaign",
        schedule="60 s",
        status=status,
    )


def a_budget() -> BudgetState:
    return BudgetState(
        version=1,
        budget_id=uuid4(),
        label="Year",
        currency="EUR",
        allocated_minor=1_000_000,
        reserved_minor=12_345,
        spent_minor=0,
        left_minor=987_655,
    )


async def show(edge: Edge, *states: object) -> None:
    for state in states:
        await edge.web.execute(state)  # type: ignore[arg-type]  # states of this file


@pytest.fixture
async def closed(open_service: Open) -> AsyncIterator[Edge]:
    async with open_edge(open_service) as edge:
        yield edge


@pytest.fixture
async def demo(open_service: Open) -> AsyncIterator[Edge]:
    async with open_edge(open_service, MUSTER_DEMO="1", MAIL_URL="http://127.0.0.1:8025/") as edge:
        yield edge


async def sign_in(edge: Edge, token: str, **headers: str) -> int:
    answer = await edge.client.post("/signin", data={"token": token}, headers=headers)
    return answer.status_code


async def test_a_stranger_is_asked_to_sign_in_and_sees_no_campaign(closed: Edge) -> None:
    await show(closed, a_campaign())
    answer = await closed.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    form = await closed.client.get("/signin", headers={"Accept-Language": "fr"})
    assert "Connexion" in form.text
    assert "C-1042" not in answer.text + form.text


async def test_whoever_signs_in_with_a_reading_token_sees_the_campaigns(closed: Edge) -> None:
    await show(closed, a_campaign())
    token = await closed.token(closed.administrator, "read")
    answer = await closed.client.post("/signin", data={"token": token})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert token not in cookie
    page = await closed.client.get("/")
    assert "C-1042" in page.text
    await closed.client.post("/signout")
    assert (await closed.client.get("/")).status_code == 303


async def test_a_session_ends_with_its_token(closed: Edge) -> None:
    assert await sign_in(closed, await closed.token(closed.administrator, "read")) == 303
    assert (await closed.client.get("/")).status_code == 200
    await closed.web.pool.execute("UPDATE tokens SET revoked_at = now()")
    assert (await closed.client.get("/")).status_code == 303


async def test_what_may_not_read_does_not_sign_in(closed: Edge) -> None:
    nobody = await closed.operator("Noah")
    manager = await closed.operator("Max", Role.MANAGER)
    for token in (
        "mst_wrong",
        "",
        await closed.token(nobody, "read"),
        await closed.token(manager, "events"),
    ):
        assert await sign_in(closed, token) == 401
    assert COOKIE not in closed.client.cookies
    good = await closed.token(manager, "read")
    assert await sign_in(closed, good, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert await sign_in(closed, good, **{"Content-Type": "text/plain"}) == 303


async def test_the_page_shows_states_dates_and_money_in_the_readers_language(demo: Edge) -> None:
    waiting = an_approval(1, ApprovalOutcome.PENDING)
    await show(demo, a_campaign(), waiting, a_workflow(), a_budget())
    english = (await demo.client.get("/")).text
    for text in (
        *("C-1042", "Spring &lt;b&gt;sale&lt;/b&gt;", "Running", "15 Jan 2027 09:00"),
        *("Europe/Paris", "2027-01-15T08:00:00+00:00", "1,234 / 1,800"),
        "waits for deliveryMgt, which is stopped",
        *("Delivery jobs", "Stopped", "€9,876.55", "http://127.0.0.1:8025/", "Deadline"),
    ):
        assert text in english, text
    french = (await demo.client.get("/", headers={"Accept-Language": "fr-FR"})).text
    for text in ("En cours d’exécution", "15 janv. 2027 09:00", "Arrêté", "Traitements des"):
        assert text in french, text
    assert "attend deliveryMgt, qui est arrêté" in french
    assert '<html lang="fr">' in french


async def test_what_stands_still_or_is_late_comes_first_with_its_error_policy(demo: Edge) -> None:
    well = a_workflow(WorkflowStatus.STARTED)
    states = (
        well.model_copy(update={"name": "aMgt", "service": "fine", "failures_ignored": 0}),
        well.model_copy(update={"name": "lateMgt", "service": "silent", "failures": 2}),
        a_workflow(),
    )
    late = TroubleRaised(name="silent", trouble=Trouble.LATE, names=("lateMgt",), since=NOW)
    await show(demo, *states, a_campaign(), late)
    english = (await demo.client.get("/")).text
    assert english.index(">deliveryMgt<") < english.index(">lateMgt<") < english.index(">aMgt<")
    for text in (
        *("campaigns that wait for it: 1", "late since", "stops at once"),
        *("ignores 4 in a row<", "ignores 4 in a row, 2 so far"),
    ):
        assert text in english, text
    assert "/workflows/start" not in english, "who is not signed in starts nothing"
    french = (await demo.client.get("/?lang=fr")).text
    for text in ("campagnes qui l’attendent : 1", "en retard depuis le", "s’arrête aussitôt"):
        assert text in french, text
    await show(demo, TroubleCleared(name="silent", trouble=Trouble.LATE, since=NOW))
    assert "late since" not in (await demo.client.get("/")).text
    # The same version with another policy: a step under way holds the row.
    await show(demo, a_workflow().model_copy(update={"failures_ignored": 7}))
    assert "ignores 7 in a row" in (await demo.client.get("/")).text


async def test_a_supervisor_starts_a_stopped_workflow_from_the_page(closed: Edge) -> None:
    await show(closed, a_workflow())
    supervisor = await closed.operator("Sue", Role.SUPERVISOR)
    manager = await closed.operator("Max", Role.MANAGER)

    async def press(name: str = "deliveryMgt", **headers: str) -> int:
        answer = await closed.client.post("/workflows/start", data={"name": name}, headers=headers)
        return answer.status_code

    async def sent() -> list[str]:
        rows = await closed.web.pool.fetch(
            "SELECT value FROM outbox WHERE topic = $1", ControlWorkflow.topic.name
        )
        return [bytes(row["value"]).decode() for row in rows]

    assert await press() == 303, "to the sign-in"
    for operator, scope in ((supervisor, "read"), (manager, "write")):
        await sign_in(closed, await closed.token(operator, scope))
        assert await press() == 403
    await sign_in(closed, await closed.token(supervisor, "write"))
    assert "/workflows/start" in (await closed.client.get("/")).text
    assert await press(**{"Sec-Fetch-Site": "cross-site"}) == 403
    assert await press("noMgt") == 404
    assert await press("a\x00b") == 404
    assert await sent() == []
    assert await press() == 303
    (command,) = await sent()
    expected = Actor(id=str(supervisor), via=Via.WEB)
    asked = ControlWorkflow.model_validate_json(command)
    assert (asked.control, asked.actor) == (Control.START, expected)


async def test_an_empty_page_says_what_to_do_next(demo: Edge) -> None:
    page = (await demo.client.get("/")).text
    assert "No campaign yet." in page
    assert "/campaign new" in page
    assert "muster up" in page


async def test_an_older_state_that_comes_late_changes_nothing(demo: Edge) -> None:
    finished = a_campaign(3, status=CampaignStatus.FINISHED)
    await show(demo, finished, a_campaign(2), an_approval(2, ApprovalOutcome.APPROVED))
    await show(demo, an_approval(1, ApprovalOutcome.PENDING))
    page = (await demo.client.get("/")).text
    assert "Finished" in page
    assert "Nothing waits for a decision" in page


async def test_many_campaigns_are_paged_by_number(demo: Edge) -> None:
    await show(
        demo,
        *(a_campaign(number=n, campaign_id=UUID(int=n), label="x") for n in range(1, 61)),
    )
    first = (await demo.client.get("/")).text
    assert "C-60" in first
    assert "C-11<" in first
    assert "C-10<" not in first
    assert "before=11" in first
    second = (await demo.client.get("/?before=11")).text
    assert "C-10<" in second
    assert (await demo.client.get("/?before=nine")).status_code == 200
    assert (await demo.client.get(f"/?before={'9' * 40}")).status_code == 200


async def test_an_open_page_answers_to_its_own_names_only(demo: Edge) -> None:
    for host, status in (("127.0.0.1:8080", 200), ("localhost", 200), ("evil.example", 421)):
        answer = await demo.client.get("/", headers={"Host": host})
        assert answer.status_code == status


async def test_pages_load_nothing_from_elsewhere_and_are_not_framed(demo: Edge) -> None:
    await show(demo, a_campaign())
    answer = await demo.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "style=" not in answer.text
    for path in ("/static/style.css", "/static/start.js"):
        assert path in answer.text
        assert (await demo.client.get(path)).status_code == 200
    assert (await demo.client.get("/static/other")).status_code == 404
