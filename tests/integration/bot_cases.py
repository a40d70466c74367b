"""A case for every command, button, modal, select, shortcut and event of the bot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from deploy.embedded.slack import Ephemeral
from deploy.embedded.slack import Message as SlackMessage
from tests.integration.bot_deeds import (
    Deed,
    Kind,
    Screen,
    form,
    home,
    message,
    pressing,
    said,
    typing,
)
from tests.integration.bot_steps import STEPS
from tests.integration.bot_story import MANAGER, REVIEWER, SUPERVISOR, BotStory
from tests.integration.test_bot_funds import asked
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.approvals import DelegateApproval, SnoozeApproval
from topics.campaign import (
    CampaignState,
    CampaignStatus,
    CancelCampaign,
    LaunchCampaign,
    OpenCampaignForm,
    RequestProof,
    ResumeCampaign,
    RetryCampaign,
    SuspendCampaign,
)
from topics.delivery import ApprovalOutcome, DecideApproval
from topics.events import ControlEvent, EventControl, EventsFound, EventStatus, FindEvents
from topics.funds import DecideFunds
from topics.levels import AskForLevels
from topics.message import Message
from topics.operators import LinkOperator, Role
from topics.schedules import AnswerMissedStart
from topics.workflows import ControlWorkflow, WorkflowState, WorkflowStatus


def campaign(status: CampaignStatus = CampaignStatus.RUNNING, **changes: Any) -> CampaignState:
    return samples.a_campaign(status=status, **changes)


def workflow(status: WorkflowStatus = WorkflowStatus.STARTED) -> WorkflowState:
    return samples.a_workflow(status=status)


MISSED: Final = campaign(CampaignStatus.READY_TO_RUN, missed=True)
APPROVAL: Final = samples.an_approval()
ON_PAPER: Final = samples.an_approval(has_letter=True)
OVERDUE: Final = samples.an_approval(
    campaign_number=1003,
    campaign_id=samples.a_campaign(1003).campaign_id,
    outcome=ApprovalOutcome.EXPIRED,
    deadline_at=APPROVAL.requested_at - timedelta(days=1),
)
MANY: Final[dict[str, tuple[Message, ...]]] = {
    "campaigns": tuple(samples.a_campaign(number) for number in range(1001, 1013)),
    "approvals": tuple(samples.an_approval(campaign_number=1001 + n) for n in range(12)),
    "budget": tuple(samples.a_budget(label=f"Budget {n:02}") for n in range(1, 13)),
    "stock": tuple(samples.a_stock_line(label=f"Line {n:02}") for n in range(1, 13)),
    "workflows": tuple(samples.a_workflow(f"job{n:02}") for n in range(1, 18)),
}
ADMINISTRATOR: Final = samples.MANAGER.model_copy(
    update={"roles": (Role.ADMINISTRATOR,), "version": 2}
)
CARD: Final = message("C-1042")
FUNDS: Final = message("Budget to approve")
LIST: Final = typing("/campaign", "list", contains="C-1012")
APPROVALS: Final = typing("/approvals", contains="C-1042")
STATUS: Final = typing("/campaign", "status C-1042", contains="C-1042")
WORKFLOWS: Final = typing("/workflows", contains="operationMgt")
FOLLOWED: Final = "You follow"
IN_A_FILE: Final = "among your direct messages"


async def followed(story: BotStory, who: str) -> SlackMessage:
    """Show the message of a campaign that is followed."""
    await story.people.slash(who, "/campaign", "follow C-1042")
    return await story.people.wait_for_message("C-1042", who)


async def event_shown(story: BotStory, who: str, status: EventStatus) -> Ephemeral:
    """Show an outside event of a status, as Message Center answers a search."""
    before = len(await story.emitted(FindEvents))
    await story.people.slash(who, "/events", "X-1")

    async def asked() -> bool:
        return len(await story.emitted(FindEvents)) > before

    await eventually(asked)
    search = (await story.emitted(FindEvents))[-1]
    event = samples.an_outside_event(status)
    await story.hear(EventsFound(search_id=search.search_id, actor=search.actor, events=(event,)))
    return await story.people.wait_for_ephemeral(who, "order.confirmed")


def _event(control: EventControl, status: EventStatus) -> Deed:
    async def show(story: BotStory, who: str) -> Ephemeral:
        return await event_shown(story, who, status)

    return _press(f"event_{control}", show, emits=ControlEvent)


def _command(name: str, typed: str = "", **more: Any) -> Deed:
    return Deed(Kind.COMMAND, name, typed=typed, **more)


def _press(name: str, screen: Screen, *world: Message, **more: Any) -> Deed:
    return Deed(Kind.ACTION, name, screen=screen, world=world, **more)


COMMANDS: Final = (
    _command("/campaign new", opens="campaign_new", emits=OpenCampaignForm),
    _command("/campaign list", "mine running", world=(campaign(),), tells="C-1042"),
    _command("/campaign help", tells="What I understand"),
    _command("/campaign proof", "C-1042", world=(campaign(),), emits=RequestProof),
    _command("/campaign test", "C-1042", world=(campaign(),), emits=RequestProof),
    _command("/campaign launch", "C-1042", world=(campaign(),), emits=LaunchCampaign),
    _command("/campaign pause", "C-1042 why", world=(campaign(),), emits=SuspendCampaign),
    _command("/campaign resume", "C-1042", world=(campaign(),), emits=ResumeCampaign),
    _command("/campaign retry", "C-1042", world=(campaign(),), emits=RetryCampaign),
    _command("/campaign start_now", "C-1042", world=(MISSED,), emits=AnswerMissedStart),
    _command("/campaign drop", "C-1042", world=(MISSED,), emits=AnswerMissedStart),
    _command("/campaign status", "C-1042", world=(campaign(),), tells="Running"),
    _command("/campaign stop", "C-1042", world=(campaign(),), opens="campaign_stop"),
    _command("/campaign cancel", "C-1042", world=(campaign(),), opens="campaign_stop"),
    _command(
        "/campaign duplicate",
        "C-1042",
        world=(campaign(),),
        opens="campaign_new",
        emits=OpenCampaignForm,
    ),
    _command("/campaign follow", "C-1042", world=(campaign(),), tells=FOLLOWED),
    _command("/campaign unfollow", "C-1042", world=(campaign(),), tells="no longer follow"),
    _command(
        "/campaign channel",
        "C-1042 <#C0ALERTS001|alerts>",
        world=(campaign(),),
        tells="from now on",
        shows="come here from now on",
    ),
    _command(
        "/campaign link",
        "<@U0STRANGER1|stranger> Robin Clarke",
        world=(ADMINISTRATOR,),
        emits=LinkOperator,
        tells="being linked",
    ),
    *(
        _command(f"/approvals {word}".strip(), who=REVIEWER, world=(APPROVAL,), tells="C-1042")
        for word in ("", "mine", "waiting", "miennes", "attente")
    ),
    *(
        _command(
            f"/approvals {word}",
            who=REVIEWER,
            world=(OVERDUE, samples.a_campaign(1003)),
            tells="C-1003",
        )
        for word in ("overdue", "retard")
    ),
    _command("/budget", "spring", world=(samples.a_budget(),), tells="Spring budget"),
    _command("/stock", "", world=(samples.a_stock_line(),), tells="Envelopes"),
    _command("/events", "X-1", emits=FindEvents, tells="Looking for it"),
    *(
        _command(f"/events {word}", emits=AskForLevels, tells="come by direct message")
        for word in ("levels", "niveaux")
    ),
    _command("/workflows", world=(workflow(),), tells="operationMgt"),
)


def _pages(kind: str, command: str, first: str, last: str) -> tuple[Deed, Deed]:
    """Return the turns of a list's pages."""
    front = typing(command, contains=first)
    rest = pressing(front, f"{kind}_on", contains=last)
    world = {"who": REVIEWER} if kind == "approvals" else {}
    return (
        _press(f"{kind}_on", front, *MANY[kind], tells=last, **world),
        _press(f"{kind}_back", rest, *MANY[kind], tells=first, **world),
    )


def _order(verb: str, status: CampaignStatus, **more: Any) -> Deed:
    return _press(f"campaign_{verb}", STATUS, campaign(status), **more)


def _control(verb: str, status: WorkflowStatus) -> Deed:
    return _press(
        f"workflow_{verb}", WORKFLOWS, workflow(status), who=SUPERVISOR, emits=ControlWorkflow
    )


BUTTONS: Final = (
    _press("approve", CARD, APPROVAL, who=REVIEWER, emits=DecideApproval),
    _press("request_changes", CARD, APPROVAL, who=REVIEWER, opens="approval_reason"),
    _press("reject", CARD, APPROVAL, who=REVIEWER, opens="approval_reason"),
    _press(
        "approval_snooze", CARD, APPROVAL, who=REVIEWER, typed="In 4 hours", emits=SnoozeApproval
    ),
    _press("approval_delegate", CARD, APPROVAL, who=REVIEWER, opens="approval_delegation"),
    _press("see_proof", CARD, APPROVAL, who=REVIEWER, is_open=True),
    _press("see_letter", CARD, ON_PAPER, who=REVIEWER, is_open=True),
    _press("approval_show", APPROVALS, APPROVAL, who=REVIEWER, tells="Proof 1 to approve"),
    _press(
        "approvals_mine",
        typing("/approvals", "waiting", contains="C-1042"),
        APPROVAL,
        who=REVIEWER,
        tells="C-1042",
    ),
    _press("approvals_waiting", APPROVALS, APPROVAL, who=REVIEWER, tells="C-1042"),
    _press(
        "approvals_overdue",
        APPROVALS,
        APPROVAL,
        OVERDUE,
        samples.a_campaign(1003),
        who=REVIEWER,
        tells="C-1003",
    ),
    _press("funds_approve", FUNDS, asked(), who=REVIEWER, emits=DecideFunds),
    _press("funds_refuse", FUNDS, asked(), who=REVIEWER, opens="funds_reason"),
    _press(
        "funds_show",
        typing("/approvals", contains="Marketing"),
        asked(),
        who=REVIEWER,
        tells="Budget to approve",
    ),
    _press("list_below", LIST, *MANY["campaigns"], tells="C-1002"),
    _press(
        "list_above",
        pressing(LIST, "list_below", contains="C-1002"),
        *MANY["campaigns"],
        tells="C-1012",
    ),
    _press("list_mine", LIST, *MANY["campaigns"], tells="C-1012"),
    _press(
        "list_words",
        typing("/campaign", "list 1005", contains="C-1005"),
        *MANY["campaigns"],
        tells="C-1012",
    ),
    _press("list_status", LIST, *MANY["campaigns"], typed="Finished", tells="No campaign is like"),
    *(
        _press(f"{name}_file", typing(typed, contains=seen), *MANY[name], tells=IN_A_FILE)
        for name, typed, seen in (
            ("budget", "/budget", "Budget 01"),
            ("stock", "/stock", "Line 01"),
        )
    ),
    _press("campaigns_file", LIST, *MANY["campaigns"], tells=IN_A_FILE),
    _press(
        "approvals_file",
        typing("/approvals", contains="C-1001"),
        *MANY["approvals"],
        who=REVIEWER,
        tells=IN_A_FILE,
    ),
    *_pages("approvals", "/approvals", "C-1001", "C-1012"),
    *_pages("budget", "/budget", "Budget 01", "Budget 12"),
    *_pages("stock", "/stock", "Line 01", "Line 12"),
    *_pages("workflows", "/workflows", "job01", "job17"),
    _order("proof", CampaignStatus.READY_TO_TEST, emits=RequestProof),
    _order("launch", CampaignStatus.READY_TO_RUN, emits=LaunchCampaign),
    _order("pause", CampaignStatus.RUNNING, emits=SuspendCampaign),
    _order("resume", CampaignStatus.SUSPENDED, emits=ResumeCampaign),
    _order("retry", CampaignStatus.ERROR, emits=RetryCampaign),
    _press("campaign_start_now", STATUS, MISSED, emits=AnswerMissedStart),
    _press("campaign_drop", STATUS, MISSED, emits=AnswerMissedStart),
    _order("stop", CampaignStatus.RUNNING, opens="campaign_stop"),
    _order("duplicate", CampaignStatus.FINISHED, opens="campaign_new", emits=OpenCampaignForm),
    _order("follow", CampaignStatus.RUNNING, tells=FOLLOWED),
    _press("campaign_status", home("C-1042"), campaign(), tells="Running"),
    _press(
        "campaign_unfollow",
        followed,
        campaign(),
        tells="no longer follow",
    ),
    _press("home_refresh", home("C-1042"), campaign(), home="C-1042"),
    _event(EventControl.PAUSE, EventStatus.PENDING),
    _event(EventControl.RESUME, EventStatus.PAUSED),
    _event(EventControl.RESEND, EventStatus.DELIVERY_ERROR),
    _event(EventControl.RECYCLE, EventStatus.DELIVERY_ERROR),
    _control("start", WorkflowStatus.STOPPED),
    _control("pause", WorkflowStatus.STARTED),
    _control("resume", WorkflowStatus.PAUSED),
    _control("stop", WorkflowStatus.STARTED),
    _control("stop_now", WorkflowStatus.STARTED),
    _control("run_now", WorkflowStatus.STARTED),
)
MODALS: Final = (
    Deed(
        Kind.VIEW,
        "approval_reason",
        who=REVIEWER,
        screen=form("approval_reason", CARD, "reject"),
        world=(APPROVAL,),
        values={"reason": "The price <is> wrong"},
        wrong=({"reason": "  "}, "reason", "say why"),
        emits=DecideApproval,
    ),
    Deed(
        Kind.VIEW,
        "approval_delegation",
        who=REVIEWER,
        screen=form("approval_delegation", CARD, "approval_delegate"),
        world=(APPROVAL,),
        wrong=({"whom": "U0STRANGER1"}, "whom", "not linked"),
        values={"whom": "U0SUPERVIS1", "comment": "I am away"},
        emits=DelegateApproval,
    ),
    Deed(
        Kind.VIEW,
        "campaign_stop",
        screen=form("campaign_stop", typed="stop C-1042"),
        world=(campaign(),),
        values={"reason": "no longer wanted"},
        emits=CancelCampaign,
    ),
    Deed(
        Kind.VIEW,
        "operator_link",
        screen=form("operator_link", typed="link <@U0STRANGER1|stranger>"),
        world=(ADMINISTRATOR,),
        wrong=({"slack_user": "U0STRANGER1"}, "operator", "Choose the operator"),
        values={"slack_user": "U0STRANGER1", "operator": "Robin Clarke"},
        emits=LinkOperator,
    ),
    Deed(
        Kind.VIEW,
        "funds_reason",
        who=REVIEWER,
        screen=form("funds_reason", FUNDS, "funds_refuse"),
        world=(asked(),),
        values={"reason": "too dear"},
        wrong=({"reason": "  "}, "reason", "say why"),
        emits=DecideFunds,
    ),
)
REST: Final = (
    Deed(
        Kind.OPTIONS,
        "operator",
        screen=form("operator_link", typed="link"),
        world=(ADMINISTRATOR,),
        typed="Dominique",
        tells="Dominique Leroy",
    ),
    Deed(
        Kind.SHORTCUT,
        "campaign_from_message",
        screen=said("Spring sale"),
        opens="campaign_new",
        emits=OpenCampaignForm,
    ),
    Deed(Kind.EVENT, "app_home_opened", who=MANAGER, world=(campaign(),), home="C-1042"),
    Deed(
        Kind.EVENT,
        "user_change",
        who=REVIEWER,
        screen=CARD,
        world=(APPROVAL,),
        shows="Robin Clarke (has left)",
        is_open=True,
    ),
)
DEEDS: Final = (*COMMANDS, *BUTTONS, *MODALS, *REST, *STEPS)
