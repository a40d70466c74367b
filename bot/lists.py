"""Lists and the synthesis of one campaign: pure, from states to what Slack shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot import formats
from bot.asked import CampaignFilter, Turn
from bot.blocks import (
    actions,
    button,
    content,
    context,
    facts,
    header,
    option,
    section,
    select,
)
from bot.cards import Setting, campaign_name, mention
from bot.cutting import esc, typed
from bot.labels import reason_text, status_name
from bot.limits import Json
from bot.reading import Page
from bot.store import Person
from bot.words import say
from topics.campaign import CampaignState, CampaignStatus, Synthesis
from topics.schedules import CampaignKind
from topics.workflows import Control

MOVING: Final = frozenset({CampaignStatus.RUNNING, CampaignStatus.SUSPENDED})
_ICONS: Final[dict[CampaignStatus, str]] = {
    CampaignStatus.FINISHED: ":white_check_mark:",
    CampaignStatus.CANCELLED: ":x:",
    CampaignStatus.ERROR: ":warning:",
    CampaignStatus.RUNNING: ":arrow_forward:",
    CampaignStatus.SUSPENDED: ":double_vertical_bar:",
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
    """Return a page of campaigns with its filters, and buttons to the next and the previous."""
    language = setting.language
    title = say(language, "campaigns")
    blocks = [header(title), _filters(page.filter, language)]
    if not page.rows:
        is_all = page.filter == CampaignFilter()
        empty = say(language, "no_campaigns" if is_all else "no_such_campaigns")
        return content(
            empty, [header(title), section(empty)] if is_all else [*blocks, section(empty)]
        )
    for state in page.rows:
        see = button(say(language, "details"), "campaign_status", str(state.campaign_id))
        blocks.append(section(campaign_lines(state, language), accessory=see))
    blocks += _turns(page, language)
    return content(title, blocks)


def campaign_lines(state: CampaignState, language: str) -> str:
    """Return a campaign as lists show it: its state, its bar while it runs, what it waits for."""
    lines = [_name(state), _state(state, language)]
    done, total = progress(state.synthesis)
    if state.status in MOVING and total:
        lines.append(formats.progress_bar(done, total))
    if state.waiting_for:
        lines.append(f"_{waiting_line(state, language)}_")
    return "\n".join(lines)


def waiting_notice(state: CampaignState, language: str) -> str:
    """Return in one line what is wrong with a campaign: its error, or the workflow it waits for."""
    if state.waiting_for:
        line = say(language, "waits", campaign=_name(state), what=_waiting(state, language))
        return f":hourglass: {line}"
    return f"{_name(state)}: {_state(state, language)}"


def _filters(wanted: CampaignFilter, language: str) -> Json:
    """Return the switch between mine and all, and the choice of a state."""
    every = option(say(language, "any_state"), str(replace(wanted, status=None)))
    by_status = {
        status: option(status_name(language, status), str(replace(wanted, status=status)))
        for status in CampaignStatus
    }
    chosen = by_status[wanted.status] if wanted.status else every
    switched = replace(wanted, mine=not wanted.mine)
    word = "show_all" if wanted.mine else "show_mine"
    found = [
        select("list_status", say(language, "state"), [every, *by_status.values()], chosen),
        button(say(language, word), "list_mine", str(switched)),
    ]
    if wanted.words:
        text = say(language, "without_words", words=typed(wanted.words))
        found.append(button(text, "list_words", str(replace(wanted, words=""))))
    return actions("list_filters", found)


def _turns(page: Page, language: str) -> list[Json]:
    found = []
    if page.newer:
        newest = str(Turn(page.rows[0].number, page.filter))
        found.append(button(say(language, "previous"), "list_above", newest))
    if page.older:
        oldest = str(Turn(page.rows[-1].number, page.filter))
        found.append(button(say(language, "next"), "list_below", oldest))
    if found:
        found.append(button(say(language, "as_file"), "campaigns_file", str(page.filter)))
    return [actions("list_turns", found)] if found else []


def campaign_status(
    state: CampaignState,
    people: Mapping[str, Person],
    setting: Setting,
    *,
    now: datetime,
    buttons: Sequence[Json] = (),
) -> Json:
    """Return a campaign's figures, progress and what it waits for, with what can be done."""
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
                (say(language, "manager"), mention(state.manager_id, people, setting)),
                *_waves(state, language),
            ]
        ),
        *synthesis(state, language),
    ]
    if state.waiting_for:
        accessory = None
        if state.waiting_workflow:
            accessory = start_button(state.waiting_workflow, language)
        blocks.append(section(f":hourglass: {waiting_line(state, language)}", accessory=accessory))
    if buttons:
        blocks.append(actions(f"campaign:{state.campaign_id}", buttons))
    blocks.append(context(say(language, "as_of", at=formats.moment(now, setting.zone, language))))
    return content(f"{_name(state)}: {status_name(language, state.status)}", blocks)


def _waves(state: CampaignState, language: str) -> list[tuple[str, str]]:
    """Return the line on a campaign's waves, where it has some."""
    if state.waves is None:
        return []
    opened, total = (
        formats.count(one, language) for one in (state.waves.opened, state.waves.total)
    )
    return [(say(language, "waves"), say(language, "waves_open", opened=opened, total=total))]


def live_status(
    state: CampaignState, people: Mapping[str, Person], setting: Setting, *, now: datetime
) -> Json:
    """Return a followed campaign; its message changes with it until it ends."""
    is_over = state.status in {CampaignStatus.FINISHED, CampaignStatus.CANCELLED}
    word = say(setting.language, "do_unfollow")
    leave = button(word, "campaign_unfollow", str(state.campaign_id))
    return campaign_status(state, people, setting, now=now, buttons=[] if is_over else [leave])


def synthesis(state: CampaignState, language: str) -> list[Json]:
    """Return a campaign's sums; each line adds up to its total.

    One that comes back has none of its own: it says where they are.
    """
    if state.kind is not CampaignKind.UNIQUE:
        return [section(say(language, "sums_by_date"))]
    sums = state.synthesis
    pairs = [(say(language, "targeted"), formats.count(sums.targeted, language))]
    if state.control_members:
        size = formats.count(state.control_members, language)
        pairs.append((say(language, "control_group"), say(language, "get_nothing", count=size)))
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
    pressed = say(language, "over_pressure", count=sums.messages_pressure)
    return say(
        language,
        "messages_line",
        sent=sums.messages_sent,
        failed=sums.messages_failed,
        ignored=sums.messages_ignored,
        pressed=pressed if sums.messages_pressure else "",
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
    start = start_button(name, language)
    return content(line, [section(waiting_notice(state, language), accessory=start)])


def waits_no_more(state: CampaignState, workflow: str, language: str) -> Json:
    """Return what the notice becomes when the campaign goes on."""
    line = say(language, "waits_no_more", campaign=_name(state), name=esc(workflow))
    return content(line, [section(line)])


def finished(state: CampaignState, language: str) -> Json:
    """Return the channel's message at a campaign's end, with its synthesis."""
    line = say(language, "finished", campaign=_name(state))
    return content(line, [section(f":white_check_mark: {line}"), *synthesis(state, language)])
