"""``muster campaign``: the same rules as behind Slack's buttons, with clear answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.cli.catalogue import find
from services.cli.letters import opened
from tests.integration.cli_shell import Shell, shell
from tests.servers import Servers
from topics.campaign import CampaignStatus
from topics.delivery import ApprovalDecided, ApprovalKind, ApprovalOutcome, RequestApproval
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.targeting import SnapshotFrozen, TargetCounted, TargetCounts

MANAGER, REVIEWER = "max@example.org", "rita@example.org"
ROLES = {MANAGER: Role.MANAGER, REVIEWER: Role.REVIEWER}
COUNTS = TargetCounts(records=3, reachable=3, persons=3, organisations=2)


def hear(cli: Shell, service: str, *messages: Message) -> None:
    """Do what a service's consumer does with messages."""

    async def heard() -> None:
        settings = cli.instance.settings(find(service).settings)
        async with opened(service, settings) as runtime:
            for message in messages:
                await runtime.execute(message)

    asyncio.run(heard())


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """An instance whose services know a manager, a reviewer and a target."""
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        for email, role in ROLES.items():
            said = made.does("operator", "add", email[:4].strip("@"), email, "--role", role)
            state = OperatorState(
                operator_id=UUID(said.split()[-1]), version=9, name="I", roles=(role,)
            )
            for service in ("campaign", "delivery"):
                hear(made, service, state)
        for number, label in enumerate(("North", "South", "South"), 1):
            made.sql(
                "INSERT INTO targeting.targetings (targeting_id, version, label, counts, kind,"
                " criteria, saved_at, saved_by) VALUES ($1, 1, $2, 'contacts', 'criteria', '[]',"
                " now(), 'x')",
                UUID(int=number),
                label,
            )
        yield made


def does(cli: Shell, *words: str, by: str = MANAGER) -> dict[str, Any]:
    """Run a command of a campaign; return what it prints for programs."""
    made: dict[str, Any] = json.loads(
        cli.does("campaign", *words, "--operator", by, "--json").splitlines()[-1]
    )
    return made


def test_a_campaign_goes_from_its_creation_to_its_cancellation(cli: Shell) -> None:
    model = str(uuid4())
    words = ("Autumn", "--targeting", "North", "--model", model, "--zone", "Europe/Paris")
    made = does(cli, "create", *words, "--start", "2026-11-02 09:00", "--reviewer", REVIEWER)
    state = made["state"]
    assert (state["status"], state["start_at"]) == ("new", "2026-11-02T08:00:00Z")
    name, campaign_id = f"C-{state['number']}", UUID(state["campaign_id"])
    hear(
        cli,
        "campaign",
        TargetCounted(campaign_id=campaign_id, targeting_id=UUID(int=1), counts=COUNTS),
    )
    assert "ready_to_run" in cli.does("campaign", "list", "--label", "autu")
    assert "3 records, 3 reachable" in cli.does("campaign", "status", name)
    does(cli, "edit", name.lower(), "--label", "Winter")
    assert "not approved yet" in cli.refuses("campaign", "launch", name, "--operator", MANAGER)

    rules = cli.folder / "rules.json"
    for content, said in (("{", "JSON"), ('{"proof": {"asked": false}}', "always approved")):
        rules.write_text(content)
        wrong = ("approvals", "rules", name, str(rules), "--operator", MANAGER)
        assert said in cli.refuses(*wrong)
    rules.write_text('{"target": {"deadline_hours": 30}}')
    assert name in cli.does("approvals", "rules", name, str(rules), "--operator", MANAGER)
    approve(cli, name, campaign_id)
    launched = does(cli, "launch", name)
    assert "launched" in [line["type"] for line in launched["journal"]]
    pause = cli.refuses("campaign", "pause", name, "--operator", MANAGER)
    assert "is ready_to_run: it cannot become suspended" in pause
    assert "only a suspended one" in cli.refuses("campaign", "resume", name, "--operator", MANAGER)
    ended = does(cli, "cancel", name, "--reason", "no stock")
    assert ended["state"]["status"] == CampaignStatus.CANCELLED


def approve(cli: Shell, name: str, campaign_id: UUID) -> None:
    """Ask for the approval on the command line, and give it there."""
    assert "nobody was asked" in cli.refuses("campaign", "approval", name)
    does(cli, "proof", name)
    snapshot_id = ask(cli, name, campaign_id)
    is_refused_to_others(cli, name)
    answered = does(cli, "decide", name, "approve", "--revision", "1", by=REVIEWER)
    assert answered["outcome"] == "approved"
    approval_id = UUID(str(answered["approval_id"]))
    hear_approved(cli, campaign_id, snapshot_id, approval_id)
    entries = json.loads(cli.does("approvals", "log", name, "--json").splitlines()[-1])
    assert [one["event"] for one in entries] == ["requested", "snoozed", "approved"]
    assert "snoozed" in cli.does("approvals", "log", name)


def ask(cli: Shell, name: str, campaign_id: UUID) -> UUID:
    """Have the delivery asked for the approval of a target; return its snapshot."""
    [row] = cli.sql("SELECT snapshot_id, manager_id FROM campaign.campaigns")
    reviewer = cli.sql("SELECT operator_id FROM web.accounts WHERE email = $1", REVIEWER)
    snapshot_id = UUID(int=row["snapshot_id"].int)
    hear(
        cli,
        "delivery",
        RequestApproval(
            campaign_id=campaign_id,
            campaign_number=int(name[2:]),
            campaign_label="Winter",
            snapshot_id=snapshot_id,
            snapshot_hash="h",
            count=3,
            reviewer_ids=(UUID(int=reviewer[0]["operator_id"].int),),
            requested_by=Actor(id=row["manager_id"], via=Via.CLI),
        ),
    )
    return snapshot_id


def is_refused_to_others(cli: Shell, name: str) -> None:
    """See the approval, and who may not answer or hand it on, and how it is put off."""
    shown = cli.does("campaign", "approval", name)
    assert "target, revision 1, pending" in shown
    assert "bound to: 3 count" in shown
    own = ("campaign", "decide", name, "approve", "--operator", MANAGER, "--revision", "1")
    assert "not among the reviewers" in cli.refuses(*own)
    stale = ("campaign", "decide", name, "approve", "--operator", REVIEWER, "--revision", "2")
    assert "has changed since" in cli.refuses(*stale)
    why = ("campaign", "decide", name, "reject", "--operator", REVIEWER, "--revision", "1")
    assert "say why" in cli.refuses(*why)
    delegate = ("approvals", "delegate", name, MANAGER, "--operator", REVIEWER)
    assert "may not approve" in cli.refuses(*delegate)
    snooze = (
        "approvals",
        "snooze",
        name,
        f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}",
    )
    assert "pending" in cli.does(*snooze, "--operator", REVIEWER)


def hear_approved(cli: Shell, campaign_id: UUID, snapshot_id: UUID, approval_id: UUID) -> None:
    """Have the campaign hear that its target is frozen and approved."""
    frozen = SnapshotFrozen(
        campaign_id=campaign_id,
        snapshot_id=snapshot_id,
        targeting_id=UUID(int=1),
        members=3,
        chunks=1,
        snapshot_hash="h",
        counts=COUNTS,
    )
    decided = ApprovalDecided(
        campaign_id=campaign_id,
        approval_id=approval_id,
        revision=1,
        kind=ApprovalKind.TARGET,
        outcome=ApprovalOutcome.APPROVED,
        by=Actor(id="r", via=Via.CLI),
        at=datetime.now(UTC),
        snapshot_id=snapshot_id,
        snapshot_hash="h",
        content_hash=None,
        count=3,
    )
    hear(cli, "campaign", frozen, decided)


def test_what_cannot_be_done_is_said_with_the_field_to_mend(cli: Shell) -> None:
    before = cli.sql("SELECT count(*) FROM campaign.campaigns")
    for words, said in (
        (("create", "X", "--operator", "who@example.org"), "add one with: muster operator add"),
        (("create", "X", "--operator", REVIEWER), "may not manage campaigns"),
        (
            ("create", "X", "--operator", MANAGER, "--targeting", "West"),
            "targeting: there is no targeting named 'West'",
        ),
        (
            ("create", "X", "--operator", MANAGER, "--targeting", "South"),
            "targeting: there is 2 times a targeting named 'South'; give its id",
        ),
        (("create", "X", "--operator", MANAGER, "--zone", "Mars/Base"), "zone: Mars/Base"),
        (("create", " ", "--operator", MANAGER), "label: a campaign needs a label"),
        (("create", "x" * 201, "--operator", MANAGER), "label"),
        (("status", "C-999999"), "there is no campaign C-999999; see: muster campaign list"),
        (("status", "spring"), "there is no campaign spring"),
        (("launch", "C-999999", "--operator", MANAGER), "there is no campaign"),
    ):
        assert said in cli.refuses("campaign", *words)
    assert cli.sql("SELECT count(*) FROM campaign.campaigns") == before
