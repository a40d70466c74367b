"""The Home tab: one's campaigns, what waits for one, alerts, the health of workflows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bot import formats
from bot.approval_list import approval_lines
from bot.blocks import actions, button, context, divider, header, home, section
from bot.cards import Setting
from bot.figures import budget_lines, stock_lines
from bot.fund_cards import funds_section
from bot.limits import Json
from bot.lists import campaign_lines, waiting_notice
from bot.reading import PAGE, Overview, Which
from bot.store import Person
from bot.words import say
from bot.workflow_list import is_well, workflow_lines
from topics.workflows import Control, WorkflowState, WorkflowStatus

ALERTS: Final = 5
"""How many stock lines, budgets and workflows each the tab shows; their lists show all."""
_STARTABLE: Final = frozenset({WorkflowStatus.STOPPED, WorkflowStatus.FAILED})


def home_view(
    seen: Overview,
    people: Mapping[str, Person],
    setting: Setting,
    *,
    now: datetime,
    may_control: bool,
) -> Json:
    """Return the Home tab of somebody who may read."""
    language = setting.language
    at = formats.moment(now, setting.zone, language)
    return home(
        [
            actions(
                "home_actions",
                [
                    button(say(language, "refresh"), "home_refresh", "now"),
                    button(say(language, "campaigns"), "list_mine", '[0,"",""]'),
                    button(say(language, "approvals_waiting"), "approvals_waiting", "waiting 0"),
                ],
            ),
            context(say(language, "as_of", at=at)),
            *_approvals(seen, people, setting, now),
            *_campaigns(seen, setting),
            *_alerts(seen, setting),
            *_workflows(seen, setting, now, may_control=may_control),
        ]
    )


def stranger_home(words: str) -> Json:
    """Return the Home tab of somebody who may not read: the polite no."""
    return home([section(words)])


def _approvals(
    seen: Overview, people: Mapping[str, Person], setting: Setting, now: datetime
) -> list[Json]:
    language = setting.language
    count = formats.count(seen.waiting + len(seen.funds), language)
    blocks = [header(say(language, "home_waiting", count=count))]
    if not seen.approvals and not seen.funds:
        blocks.append(section(say(language, "home_nothing_waits")))
    for state in seen.approvals:
        see = button(say(language, "open_card"), "approval_show", str(state.approval_id))
        blocks.append(section(approval_lines(state, people, setting, now=now), accessory=see))
    blocks += [funds_section(asked, people, setting) for asked in seen.funds]
    if seen.waiting > len(seen.approvals):
        more = button(say(language, "see_all"), "approvals_mine", f"{Which.MINE} 0")
        blocks.append(actions("home_approvals", [more]))
    return blocks


def _campaigns(seen: Overview, setting: Setting) -> list[Json]:
    language = setting.language
    blocks = [divider(), header(say(language, "home_campaigns"))]
    if not seen.campaigns:
        blocks.append(section(say(language, "home_no_campaigns")))
    for state in seen.campaigns:
        see = button(say(language, "details"), "campaign_status", str(state.campaign_id))
        blocks.append(section(campaign_lines(state, language), accessory=see))
    if len(seen.campaigns) == PAGE:
        more = button(say(language, "see_all"), "list_mine", '[1,"",""]')
        blocks.append(actions("home_campaigns", [more]))
    return blocks


def _alerts(seen: Overview, setting: Setting) -> list[Json]:
    language = setting.language
    found = [
        *(section(waiting_notice(state, language)) for state in seen.troubled),
        *(section(stock_lines(state, language)) for state in seen.stock[:ALERTS]),
        *(section(budget_lines(state, language)) for state in seen.budgets[:ALERTS]),
    ]
    none = [section(":white_check_mark: " + say(language, "home_no_alerts"))]
    return [divider(), header(say(language, "home_alerts")), *(found or none)]


def _workflows(seen: Overview, setting: Setting, now: datetime, *, may_control: bool) -> list[Json]:
    """Return how many workflows are well, and those that are not."""
    language = setting.language
    ill = [state for state in seen.workflows if _is_ill(state, seen, setting, now)]
    well = say(
        language,
        "home_well",
        well=formats.count(len(seen.workflows) - len(ill), language),
        all=formats.count(len(seen.workflows), language),
    )
    icon = ":large_green_circle:" if not ill else ":large_yellow_circle:"
    see = button(say(language, "see_all"), "workflows_on", "0")
    blocks = [
        divider(),
        header(say(language, "workflows")),
        section(f"{icon} {well}", accessory=see),
    ]
    for state in ill[:ALERTS]:
        start = None
        if may_control and state.status in _STARTABLE:
            text = say(language, "start_it", name=state.name)
            start = button(text, f"workflow_{Control.START}", state.name, style="primary")
        beat = seen.beats.get(state.service)
        blocks.append(section(workflow_lines(state, beat, setting, now), accessory=start))
    return blocks


def _is_ill(state: WorkflowState, seen: Overview, setting: Setting, now: datetime) -> bool:
    return not is_well(state, seen.beats.get(state.service), setting, now)
