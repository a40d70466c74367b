"""Whatever the app takes from Slack, and whatever its screens offer, has a case that is played.

The cases are the rows that ``tests/integration/test_bot_everything.py`` runs from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as codes
from re import _parser as parser
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp

from bot import app, commands, levels
from bot.front import Front
from bot.orders import VERBS
from bot.settings import BotSettings
from tests.integration.bot_cases import DEEDS
from tests.integration.bot_deeds import Deed, Kind
from tests.unit.bot.screens import SETTINGS, messages, views

WORDS = {
    "/campaign": {*commands._ANSWERS, *VERBS},
    "/approvals": set(commands._WHICH),
    "/events": {"", *levels.WORDS},
}


def spelled(pattern: re.Pattern[str]) -> set[str]:
    """Return every text that a pattern of alternatives matches."""
    return set(_spell(list(parser.parse(pattern.pattern))))


def _spell(parts: list[Any]) -> Iterator[str]:
    if not parts:
        yield ""
        return
    (code, given), rest = parts[0], parts[1:]
    for text in _one(code, given):
        for end in _spell(rest):
            yield text + end


def _one(code: Any, given: Any) -> Iterator[str]:
    if code is codes.AT:
        yield ""
    elif code is codes.LITERAL:
        yield chr(given)
    elif code is codes.SUBPATTERN:
        yield from _spell(list(given[-1]))
    elif code is codes.BRANCH:
        for branch in given[1]:
            yield from _spell(list(branch))
    elif code is codes.IN:
        for one in given:
            yield from _one(*one)
    else:
        message = f"a pattern of the app is more than alternatives: {code}"
        raise AssertionError(message)


def names(constraint: Any) -> set[str]:
    """Return the ids that a listener of the app is for."""
    if isinstance(constraint, re.Pattern):
        return spelled(constraint)
    if isinstance(constraint, dict):
        return names(constraint["callback_id"])
    return {str(constraint)}


@pytest.fixture(scope="module")
def taken() -> set[tuple[Kind, str]]:
    """What the app takes, by how it registered it."""
    found: set[tuple[Kind, str]] = set()

    class Noting(AsyncApp):
        pass

    def note(kind: Kind) -> None:
        usual = getattr(AsyncApp, kind)

        def noting(self: AsyncApp, constraint: Any, *given: Any, **named: Any) -> Any:
            found.update((kind, name) for name in names(constraint))
            return usual(self, constraint, *given, **named)

        setattr(Noting, kind, noting)

    async def nowhere(_team_id: str | None) -> None:
        return None

    for kind in Kind:
        note(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "AsyncApp", Noting)
        settings = BotSettings.model_construct(slack_signing_secret=None)
        front = Front.__new__(Front)
        app.slack_app(settings, front, nowhere)
    return with_words(found)


def with_words(found: set[tuple[Kind, str]]) -> set[tuple[Kind, str]]:
    """Return the same, a command that takes words once with each of them."""
    spread = set()
    for kind, name in found:
        words = WORDS.get(name, {""}) if kind is Kind.COMMAND else {""}
        spread |= {(kind, f"{name} {word}".strip()) for word in words}
    return spread


def played(kind: Kind) -> set[str]:
    return {deed.name for deed in DEEDS if deed.kind is kind}


def elements(shown: Any, within: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (action id, type, where) of everything one can press or fill in.

    ``where`` is ``input`` in a field, ``told`` in one that tells the app at once, else empty.
    """
    if isinstance(shown, list):
        for one in shown:
            yield from elements(one, within)
    elif isinstance(shown, dict):
        if "action_id" in shown:
            yield shown["action_id"], shown["type"], within
        if shown.get("type") == "input":
            within = "told" if shown.get("dispatch_action") else "input"
        for value in shown.values():
            yield from elements(value, within)


def screens() -> Iterator[Any]:
    for setting in SETTINGS:
        yield from (shown for _, shown in messages(setting, "Spring"))
        yield from (shown for _, shown in views(setting, "Spring"))


def test_everything_the_app_takes_has_a_case_and_no_case_is_of_something_gone(
    taken: set[tuple[Kind, str]],
) -> None:
    assert {(deed.kind, deed.name) for deed in DEEDS} == taken


def test_everything_that_can_be_pressed_is_taken_and_played() -> None:
    shown = {
        name for screen in screens() for name, _, where in elements(screen) if where != "input"
    }
    assert shown == played(Kind.ACTION)


def test_every_field_of_every_modal_is_filled_in_by_its_case() -> None:
    fields: dict[str, set[str]] = {}
    for screen in screens():
        if "callback_id" in screen:
            inputs = {name for name, _, where in elements(screen) if where}
            fields.setdefault(screen["callback_id"], set()).update(inputs)
    cases: dict[str, Deed] = {deed.name: deed for deed in DEEDS if deed.kind is Kind.VIEW}
    assert fields.keys() == cases.keys()
    for name, inputs in fields.items():
        assert inputs == set(cases[name].values), name


def test_every_select_whose_options_are_looked_up_is_asked() -> None:
    shown = {
        name for screen in screens() for name, kind, _ in elements(screen) if "external" in kind
    }
    assert shown == played(Kind.OPTIONS)


def test_every_case_says_what_comes_of_it_and_no_two_are_of_the_same() -> None:
    seen = [str(deed) for deed in DEEDS]
    assert len(set(seen)) == len(seen)
    quiet = [
        deed.name
        for deed in DEEDS
        if not (deed.emits or deed.tells or deed.opens or deed.shows or deed.home)
    ]
    # It leads to a page: Slack's client opens it, and only wants an acknowledgement.
    assert quiet == ["see_proof", "see_letter"]


def test_a_pattern_is_spelled_out() -> None:
    pattern = re.compile(r"^(list_(above|below)|(a|b)_on)$")
    assert spelled(pattern) == {"list_above", "list_below", "a_on", "b_on"}
