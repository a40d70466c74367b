"""Lists of approvals: pure, from states to what Slack shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from bot import formats
from bot.blocks import actions, button, content, header, section
from bot.cards import Setting, campaign_name, mention
from bot.fund_cards import funds_section
from bot.limits import Json
from bot.reading import ApprovalPage, Which
from bot.store import Person
from bot.words import say
from topics.delivery import ApprovalOutcome, ApprovalState
from topics.funds import FundsAwaitApproval

TITLES: Final = {
    Which.MINE: "approvals_mine",
    Which.WAITING: "approvals_waiting",
    Which.OVERDUE: "approvals_overdue",
}
_EMPTY: Final = {
    Which.MINE: "no_approvals_mine",
    Which.WAITING: "no_approvals_waiting",
    Which.OVERDUE: "no_approvals_overdue",
}


def approval_list(
    page: ApprovalPage,
    people: Mapping[str, Person],
    setting: Setting,
    *,
    now: datetime,
    funds: Sequence[FundsAwaitApproval] = (),
) -> Json:
    """Return a page of approvals, each with a button that shows its card; ``funds`` stand first."""
    language = setting.language
    title = say(language, TITLES[page.which])
    blocks = [header(title)]
    blocks += [funds_section(asked, people, setting) for asked in funds]
    if not page.rows and not funds:
        blocks.append(section(say(language, _EMPTY[page.which])))
    for state in page.rows:
        see = button(say(language, "open_card"), "approval_show", str(state.approval_id))
        blocks.append(section(approval_lines(state, people, setting, now=now), accessory=see))
    blocks.append(actions("approval_turns", _turns(page, language)))
    return content(title, blocks)


def _turns(page: ApprovalPage, language: str) -> list[Json]:
    """Return the buttons to the other lists, and to the pages before and after."""
    found = [
        button(say(language, TITLES[which]), f"approvals_{which}", f"{which} 0")
        for which in Which
        if which is not page.which
    ]
    if page.start > 0:
        before = f"{page.which} {max(0, page.start - len(page.rows) - 1)}"
        found.append(button(say(language, "previous_page"), "approvals_back", before))
    if page.more:
        after = f"{page.which} {page.start + len(page.rows)}"
        found.append(button(say(language, "next_page"), "approvals_on", after))
    if page.more or page.start > 0:
        found.append(button(say(language, "as_file"), "approvals_file", str(page.which)))
    return found


def approval_lines(
    state: ApprovalState, people: Mapping[str, Person], setting: Setting, *, now: datetime
) -> str:
    """Return an approval in two lines: what of whom, and how long is left."""
    language = setting.language
    name = campaign_name(state.campaign_number, state.campaign_label)
    what = say(language, f"kind_{state.kind}", campaign=name)
    asked = say(
        language,
        "asked_line",
        by=mention(state.requested_by, people, setting),
        count=formats.count(state.count, language),
    )
    return f"{what}\n{_when(state, setting, now)} · {asked}"


def _when(state: ApprovalState, setting: Setting, now: datetime) -> str:
    language = setting.language
    at = formats.moment(state.deadline_at, setting.zone, language)
    if state.outcome is ApprovalOutcome.EXPIRED or state.deadline_at <= now:
        return ":red_circle: " + say(language, "overdue_since", at=at)
    left = formats.time_left(state.deadline_at - now, language)
    return ":hourglass: " + say(language, "left_until", left=left, at=at)
