"""Lists and the synthesis of one campaign: pure, from states to what Slack shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot import formats
from bot.blocks import (
    actions,
    button,
    content,
    context,
    facts,
    header,
    section,
)
from bot.cards import Setting, campaign_name, mention
from bot.cutting import esc, typed
from bot.labels import control_name, reason_text, status_name, workflow_name
from bot.limits import Json
from bot.store import Beat, Page, Person
from bot.words import say
from topics.campaign import CampaignState, CampaignStatus, Synthesis
from topics.workflows import Control, WorkflowState, WorkflowStatus

WORKFLOWS_A_PAGE: Final = 15
BEATS_MISSED: Final = 3
OVERDUE: Final = timedelta(minutes=2)
_ICONS: Final[dict[CampaignStatus, str]] = {
    CampaignStatus.FINISHED: ":white_check_mark:",
    CampaignStatus.CANCELLED: ":x:",
    CampaignStatus.ERROR: ":warning:",
    CampaignStatus.RUNNING: ":arrow_forward:",
    CampaignStatus.SUSPENDED: ":double_vertical_bar:",
}
_WORKFLOW_ICONS: Final[dict[WorkflowStatus, str]] = {
    WorkflowStatus.STARTED: ":large_green_circle:",
    WorkflowStatus.PAUSED: ":double_vertical_bar:",
    WorkflowStatus.STOPPED: ":black_square_for_stop:",
    WorkflowStatus.FAILED: ":red_circle:",
}
_CONTROLS: Final[dict[WorkflowStatus, tuple[Control, ...]]] = {
    WorkflowStatus.STARTED: (Control.RUN_NOW, Control.PAUSE, Control.STOP),
    WorkflowStatus.PAUSED: (Control.RESUME, Control.STOP),
    WorkflowStatus.STOPPED: (Control.START,),
    WorkflowStatus.FAILED: (Control.START, Control.STOP),
}


def _name(state: CampaignState) -> str:
    return campaign_name(state.number, state.label)


def _state(state: CampaignState, language: str) -> str:
    icon = _ICONS.get(state.status, ":white_circle:")
    return f"{icon} {status_name(language, state.status)}"


def start_button(workflow: str, language: str) -> Json:
    """Return the button that starts a stopped workflow."""
    text = say(language, "start_it", name=workflow)
    return button(text, f"workflow_{Control.START}", workflow, style="primary")


def _waiting(state: CampaignState, language: str) -> str:
    """Return what a campaign waits for, in the campaign's zone."""
    reason, code = state.waiting_for or "", state.waiting_code
    return esc(reason_text(language, ZoneInfo(state.zone), reason, code, state.waiting_values))


def waiting_line(state: CampaignState, language: str) -> str:
    """Return what holds a campaign up."""
    return say(language, "waiting_for", what=_waiting(state, language))


def campaign_list(page: Page, setting: Setting) -> Json:
    """Return a page of campaigns, with buttons to the next and the previous."""
    language = setting.language
    title = say(language, "campaigns")
    if not page.rows:
        empty = say(language, "no_campaigns")
        return content(empty, [header(title), section(empty)])
    blocks = [header(title)]
    for state in page.rows:
        lines = [f"{_name(state)}\n{_state(state, language)}"]
        if state.waiting_for:
            lines.append(f"_{waiting_line(state, language)}_")
        blocks.append(section("\n".join(lines)))
    blocks += _turns(page, language)
    return content(title, blocks)


def _turns(page: Page, language: str) -> list[Json]:
    found = []
    if page.newer:
        newest = page.rows[0].number
        found.append(button(say(language, "previous"), "list_above", str(newest)))
    if page.older:
        oldest = page.rows[-1].number
        found.append(button(say(language, "next"), "list_below", str(oldest)))
    return [actions("list_turns", found)] if found else []


def campaign_status(
    state: CampaignState, people: Mapping[str, Person], setting: Setting, *, now: datetime
) -> Json:
    """Return a campaign's figures, progress and what it waits for."""
    language = setting.language
    dates = (
        f"{formats.moment(state.start_at, setting.zone, language)} →"
        f" {formats.moment(state.end_at, setting.zone, language)}"
    )
    blocks = [
        header(f"C-{state.number} {typed(state.label)}"),
        section(_state(state, language)),
        facts(
            [
                (say(language, "dates"), dates),
                (say(language, "manager"), mention(state.manager_id, people, language)),
            ]
        ),
        *synthesis(state, language),
    ]
    if state.waiting_for:
        accessory = None
        if state.waiting_workflow:
            accessory = start_button(state.waiting_workflow, language)
        blocks.append(section(f":hourglass: {waiting_line(state, language)}", accessory=accessory))
    blocks.append(context(say(language, "as_of", at=formats.moment(now, setting.zone, language))))
    return content(f"{_name(state)}: {status_name(language, state.status)}", blocks)


def synthesis(state: CampaignState, language: str) -> list[Json]:
    """Return a campaign's sums; each line adds up to its total."""
    sums = state.synthesis
    pairs = [(say(language, "targeted"), formats.count(sums.targeted, language))]
    if sums.messages_targeted:
        pairs.append((say(language, "messages"), _messages_line(sums, language)))
    if sums.actions_generated:
        pairs.append((say(language, "actions"), _actions_line(sums, language)))
    if sums.deals_generated or sums.dossier_items or sums.extracted:
        line = say(
            language,
            "others_line",
            deals=sums.deals_generated,
            items=sums.dossier_items,
            extracted=sums.extracted,
        )
        pairs.append((say(language, "others"), line))
    blocks = [section(f"*{name}*: {value}") for name, value in pairs]
    done, total = progress(sums)
    if total and state.status is not CampaignStatus.CANCELLED:
        name = say(language, "progress")
        blocks.append(section(f"*{name}*: {formats.progress_bar(done, total)}"))
    return blocks


def _messages_line(sums: Synthesis, language: str) -> str:
    return say(
        language,
        "messages_line",
        sent=sums.messages_sent,
        failed=sums.messages_failed,
        ignored=sums.messages_ignored,
        ambiguous=sums.messages_ambiguous,
        pending=sums.messages_pending,
        total=sums.messages_targeted,
    )


def _actions_line(sums: Synthesis, language: str) -> str:
    return say(
        language,
        "actions_line",
        waiting=sums.actions_waiting,
        suspended=sums.actions_suspended,
        executed=sums.actions_executed,
        finished=sums.actions_finished,
        cancelled=sums.actions_cancelled,
        total=sums.actions_generated,
    )


def progress(sums: Synthesis) -> tuple[int, int]:
    """Return how many messages and actions are done, and how many there are."""
    messages = sums.messages_sent + sums.messages_failed + sums.messages_ignored
    actions_done = sums.actions_executed + sums.actions_finished + sums.actions_cancelled
    return messages + actions_done, sums.messages_targeted + sums.actions_generated


def waits(state: CampaignState, language: str) -> Json:
    """Return the notice that a campaign waits for a stopped workflow, with a button."""
    line = say(language, "waits", campaign=_name(state), what=_waiting(state, language))
    name = state.waiting_workflow or ""
    return content(line, [section(f":hourglass: {line}", accessory=start_button(name, language))])


def waits_no_more(state: CampaignState, workflow: str, language: str) -> Json:
    """Return what the notice becomes when the campaign goes on."""
    line = say(language, "waits_no_more", campaign=_name(state), name=esc(workflow))
    return content(line, [section(line)])


def finished(state: CampaignState, language: str) -> Json:
    """Return the channel's message at a campaign's end, with its synthesis."""
    line = say(language, "finished", campaign=_name(state))
    return content(line, [section(f":white_check_mark: {line}"), *synthesis(state, language)])


def trouble(state: WorkflowState, beat: Beat | None, setting: Setting, now: datetime) -> str:
    """Return in words whether a workflow is late or its service silent; empty when neither."""
    language = setting.language
    if state.status is WorkflowStatus.STARTED and beat is not None:
        silence = timedelta(seconds=beat.interval_seconds * BEATS_MISSED)
        if now - beat.at > silence:
            at = formats.moment(beat.at, setting.zone, language)
            return say(language, "silent", at=at)
    due = state.next_at
    started = state.status is WorkflowStatus.STARTED
    if started and beat is None and due is not None and now - due > OVERDUE:
        return say(language, "late")
    return ""


def workflow_list(
    states: Sequence[WorkflowState],
    beats: Mapping[str, Beat],
    setting: Setting,
    *,
    now: datetime,
    may_control: bool,
    start: int = 0,
) -> Json:
    """Return technical workflows from position ``start``, with the buttons each state allows."""
    language = setting.language
    title = say(language, "workflows")
    if not states:
        empty = say(language, "no_workflows")
        return content(empty, [header(title), section(empty)])
    blocks = [header(title)]
    for state in states[start : start + WORKFLOWS_A_PAGE]:
        blocks.append(section(_workflow_lines(state, beats.get(state.service), setting, now)))
        if may_control:
            blocks.append(actions(f"workflow:{state.name}", _controls(state, language)))
    found = []
    if start > 0:
        before = str(max(0, start - WORKFLOWS_A_PAGE))
        found.append(button(say(language, "previous_page"), "workflows_back", before))
    if start + WORKFLOWS_A_PAGE < len(states):
        after = str(start + WORKFLOWS_A_PAGE)
        found.append(button(say(language, "next_page"), "workflows_on", after))
    return content(title, blocks + ([actions("workflows_turns", found)] if found else []))


def _workflow_lines(
    state: WorkflowState, beat: Beat | None, setting: Setting, now: datetime
) -> str:
    language = setting.language
    label = state.label_fr if language == "fr" else state.label
    ran = say(language, "never_ran")
    if state.last_run_at:
        at = formats.moment(state.last_run_at, setting.zone, language)
        ran = say(language, "last_run", at=at)
    words = [workflow_name(language, state.status), trouble(state, beat, setting, now)]
    named = ", ".join(word for word in words if word)
    lines = [f"{_WORKFLOW_ICONS[state.status]} *{esc(state.name)}* {esc(label)}: {named}"]
    lines.append(f"{esc(state.service)} · {esc(state.schedule)} · {ran}")
    if state.error:
        lines.append(f":warning: {esc(state.error)}")
    return "\n".join(lines)


def _controls(state: WorkflowState, language: str) -> list[Json]:
    return [
        button(control_name(language, control), f"workflow_{control}", state.name)
        for control in _CONTROLS[state.status]
    ]
