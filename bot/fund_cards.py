"""The card of a budget approval, and the modal that asks why it is refused: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bot import formats
from bot.blocks import actions, button, content, facts, field, header, modal, section, text_input
from bot.cards import Setting, campaign_name, mention
from bot.cutting import esc, typed
from bot.fields import Values
from bot.fund_store import Funds, FundsOutcome
from bot.labels import sentence
from bot.limits import Json
from bot.store import Person
from bot.words import say
from topics.funds import FundsAwaitApproval

REASON: Final = "funds_reason"
APPROVE: Final = "funds_approve"
REFUSE: Final = "funds_refuse"
SHOW: Final = "funds_show"


@dataclass(frozen=True, slots=True)
class Hold:
    """What a button of the card stands for."""

    hold_id: UUID
    campaign_id: UUID

    def __str__(self) -> str:
        return f"{self.hold_id}/{self.campaign_id}"

    @classmethod
    def read(cls, value: str) -> Hold:
        """Return the hold of a button's value.

        Raises:
            ValueError: it is no value of ours.
        """
        hold_id, campaign_id = value.split("/")
        return cls(UUID(hold_id), UUID(campaign_id))


def hold_of(funds: Funds) -> Hold:
    """Return what the buttons of a budget approval stand for."""
    return Hold(funds.asked.hold_id, funds.asked.campaign_id)


def funds_card(funds: Funds, people: Mapping[str, Person], setting: Setting) -> Json:
    """Return the card of a budget approval: with buttons while it is open, else with its end."""
    language, asked = setting.language, funds.asked
    number, label = f"C-{asked.campaign_number}", typed(asked.campaign_label)
    title = say(language, "card_funds", number=number, label=label)
    is_open = funds.outcome is FundsOutcome.PENDING
    blocks = [header(title)]
    if not is_open:
        blocks.append(section(end_line(funds, people, setting)))
        if funds.reason:
            why = esc(sentence(language, funds.reason), 2000)
            blocks.append(section(f"*{say(language, 'reason')}*: {why}"))
    blocks.append(facts(_facts(funds, people, setting)))
    if is_open:
        value = str(hold_of(funds))
        approve = button(say(language, "approve"), APPROVE, value, style="primary")
        refuse = button(say(language, "reject"), REFUSE, value, style="danger")
        blocks.append(actions(f"funds:{asked.hold_id}", [approve, refuse]))
    summary = esc(title) if is_open else f"{esc(title)}: {_end_name(funds, language)}"
    return content(summary, blocks)


def funds_section(
    asked: FundsAwaitApproval, people: Mapping[str, Person], setting: Setting
) -> Json:
    """Return an open budget approval in a list, with a button that shows its card."""
    language = setting.language
    by = asked.requested_by
    line = say(
        language,
        "funds_line",
        campaign=campaign_name(asked.campaign_number, asked.campaign_label),
        amount=formats.money(asked.amount_minor, asked.currency, language),
        budget=esc(asked.budget_label),
        by=mention(by.id, people, setting) if by else "–",
    )
    see = button(say(language, "open_card"), SHOW, str(Hold(asked.hold_id, asked.campaign_id)))
    return section(line, accessory=see)


def _facts(funds: Funds, people: Mapping[str, Person], setting: Setting) -> list[tuple[str, str]]:
    language, asked = setting.language, funds.asked
    by = asked.requested_by
    found = [
        (say(language, "amount"), formats.money(asked.amount_minor, asked.currency, language)),
        (say(language, "from_budget"), esc(asked.budget_label)),
        (say(language, "left_then"), formats.money(asked.left_minor, asked.currency, language)),
        (say(language, "asked_by"), mention(by.id, people, setting) if by else "–"),
    ]
    if asked.over_minor:
        over = formats.money(asked.over_minor, asked.currency, language)
        found.append((say(language, "over_budget"), f":warning: {over}"))
    return found


def _end_name(funds: Funds, language: str) -> str:
    return say(language, f"funds_{funds.outcome}")


def end_line(funds: Funds, people: Mapping[str, Person], setting: Setting) -> str:
    """Return how a budget approval ended, when and by whom."""
    language = setting.language
    at = formats.moment(funds.ended_at, setting.zone, language) if funds.ended_at else "–"
    if not funds.decided_by:
        return say(language, "funds_ended", outcome=_end_name(funds, language), at=at)
    by = mention(funds.decided_by, people, setting)
    return say(language, "decided_line", outcome=_end_name(funds, language), by=by, at=at)


def late_answer(funds: Funds, people: Mapping[str, Person], setting: Setting) -> str:
    """Return what a click on a closed card is told."""
    what = campaign_name(funds.asked.campaign_number, funds.asked.campaign_label)
    return f"{what}: {end_line(funds, people, setting)}"


def refuse_modal(funds: Funds, channel: str, setting: Setting) -> Json:
    """Return the modal that asks why the money is refused."""
    language = setting.language
    asked = text_input(1000, multiline=True)
    return modal(
        REASON,
        say(language, "reject"),
        [
            section(campaign_name(funds.asked.campaign_number, funds.asked.campaign_label)),
            field("reason", say(language, "reason"), asked, optional=False),
        ],
        submit=say(language, "send"),
        close=say(language, "close"),
        metadata=f"{hold_of(funds)} {channel}",
    )


def read_refusal(view: Json) -> tuple[Hold, str, str | None]:
    """Return the hold, the channel and the reason of a submitted refusal."""
    hold, _, channel = str(view["private_metadata"]).partition(" ")
    return Hold.read(hold), channel, Values(view["state"]["values"]).text("reason")
