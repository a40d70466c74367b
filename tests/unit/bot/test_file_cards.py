"""Cards of suppliers' files and their routers' proofs."""

from __future__ import annotations

from uuid import UUID

import pytest

from bot import cards
from bot.cards import Beside, Setting
from bot.words import say
from tests.unit.bot.samples import ENGLISH, FRENCH, PEOPLE, an_approval
from topics.delivery import ApprovalKind


@pytest.mark.parametrize("kind", list(ApprovalKind))
@pytest.mark.parametrize("setting", [ENGLISH, FRENCH])
def test_every_kind_of_approval_has_a_card_that_names_what_it_is_about(
    kind: ApprovalKind, setting: Setting
) -> None:
    of_file = kind in {ApprovalKind.EXTRACTION_FILE, ApprovalKind.ROUTER_PROOF}
    state = an_approval(kind=kind, subject="C-1042.csv", file_id=UUID(int=7) if of_file else None)
    card = str(cards.approval_card(state, Beside(PEOPLE, None, ""), setting))
    named = say(setting.language, "file" if of_file else "subject")
    assert f"{named}: C-1042.csv" in card
    assert "C-1042" in cards.approval_title(state, setting.language)


@pytest.mark.parametrize(
    ("kind", "word"),
    [(ApprovalKind.EXTRACTION_FILE, "See the file"), (ApprovalKind.ROUTER_PROOF, "See the proof")],
)
def test_what_is_to_be_approved_is_a_click_away(kind: ApprovalKind, word: str) -> None:
    state = an_approval(kind=kind, file_id=UUID(int=7), proof_path="/r/abc")
    card = cards.approval_card(state, Beside(PEOPLE, None, ""), ENGLISH)
    [link] = [
        element
        for block in card["blocks"]
        for element in block.get("elements", ())
        if element.get("url")
    ]
    assert link["text"]["text"] == word
    assert link["url"] == f"{ENGLISH.public_url}/r/abc"
