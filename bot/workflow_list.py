"""The list of technical workflows: pure, from states and signs of life to what Slack shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from bot import formats
from bot.blocks import actions, button, confirmed, content, header, section
from bot.cards import Setting
from bot.cutting import esc
from bot.labels import control_name, workflow_name
from bot.limits import Json
from bot.store import Beat
from bot.words import say
from topics.workflows import Control, WorkflowState, WorkflowStatus

WORKFLOWS_A_PAGE: Final = 15
BEATS_MISSED: Final = 2
CONDUCTOR: Final = "operationMgt"
"""It moves campaigns on, so it waits for whatever they wait for."""
OVERDUE: Final = timedelta(minutes=2)
_WORKFLOW_ICONS: Final[dict[WorkflowStatus, str]] = {
    WorkflowStatus.STARTED: ":large_green_circle:",
    WorkflowStatus.PAUSED: ":double_vertical_bar:",
    WorkflowStatus.STOPPED: ":black_square_for_stop:",
    WorkflowStatus.FAILED: ":red_circle:",
}
_CONTROLS: Final[dict[WorkflowStatus, tuple[Control, ...]]] = {
    WorkflowStatus.STARTED: (
        Control.RUN_NOW,
        Control.PAUSE,
        Control.STOP,
        Control.STOP_NOW,
    ),
    WorkflowStatus.PAUSED: (Control.RESUME, Control.STOP),
    WorkflowStatus.STOPPED: (Control.START,),
    WorkflowStatus.FAILED: (Control.START, Control.STOP),
}


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
    waiting: Mapping[str, int] | None = None,
) -> Json:
    """Return technical workflows from position ``start``, with the buttons each state allows.

    Those that stand still or are late come first. ``waiting`` says how many campaigns wait for a
    workflow; the conductor of campaigns waits with them.
    """
    language = setting.language
    states = sorted(states, key=lambda one: is_well(one, beats.get(one.service), setting, now))
    title = say(language, "workflows")
    if not states:
        empty = say(language, "no_workflows")
        return content(empty, [header(title), section(empty)])
    blocks = [header(title)]
    for state in states[start : start + WORKFLOWS_A_PAGE]:
        lines = [workflow_lines(state, beats.get(state.service), setting, now)]
        blocks.append(section("\n".join(lines + _waits(state, waiting or {}, language))))
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


def is_well(state: WorkflowState, beat: Beat | None, setting: Setting, now: datetime) -> bool:
    """Whether a workflow is started and not late."""
    return state.status is WorkflowStatus.STARTED and not trouble(state, beat, setting, now)


def _waits(state: WorkflowState, waiting: Mapping[str, int], language: str) -> list[str]:
    """Return who waits for a workflow, and for whom the conductor of campaigns waits."""
    lines = []
    if waiting.get(state.name):
        count = formats.count(waiting[state.name], language)
        lines.append(":hourglass: " + say(language, "campaigns_wait", count=count))
    others = sorted(name for name in waiting if name != state.name)
    if state.name == CONDUCTOR and others:
        names = ", ".join(f"*{esc(name)}*" for name in others)
        lines.append(":hourglass: " + say(language, "workflow_waits", names=names))
    return lines


def workflow_lines(state: WorkflowState, beat: Beat | None, setting: Setting, now: datetime) -> str:
    """Return a workflow's state, schedule, last run and error, a line each."""
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
    lines.append(policy(state, language))
    if state.error:
        lines.append(f":warning: {esc(state.error)}")
    return "\n".join(lines)


def _controls(state: WorkflowState, language: str) -> list[Json]:
    return [_button(control, state.name, language) for control in _CONTROLS[state.status]]


def _button(control: Control, name: str, language: str) -> Json:
    text = control_name(language, control)
    if control is not Control.STOP_NOW:
        return button(text, f"workflow_{control}", name)
    return confirmed(
        button(text, f"workflow_{control}", name, style="danger"),
        title=text,
        text=say(language, "stop_now_question", name=esc(name)),
        yes=say(language, "stop_now_yes"),
        no=say(language, "close"),
    )


def policy(state: WorkflowState, language: str) -> str:
    """Return an error policy in words, with the failures in a row so far when there are any."""
    ignored = state.failures_ignored
    if ignored == 0:
        return say(language, "policy_stop")
    if state.failures:
        return say(language, "policy_used", count=str(state.failures), most=str(ignored))
    return say(language, "policy_ignore", most=str(ignored))
