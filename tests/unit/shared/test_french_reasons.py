"""Every reason that budget, stock, targeting and actions refuse with has its French sentence."""

from __future__ import annotations

import re

import pytest

from shared.french_reasons import TEMPLATES, french_reason
from tests.unit.shared.reasons import Reasons

FOUND = sorted(Reasons("budget", "stock", "targeting", "actions").found())


@pytest.mark.parametrize("template", FOUND)
def test_a_reason_has_a_french_sentence(template: str) -> None:
    assert template in TEMPLATES


def test_the_reasons_are_found_where_they_are_said() -> None:
    assert len(FOUND) > 120
    assert "there is no such hold" in FOUND  # said on the spot
    assert "this stock line is not known; save it first" in FOUND
    assert any(one.startswith("the campaign may cost {}, but") for one in FOUND)  # by a function
    assert any("which no audience is" in one for one in FOUND)  # by a constant


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_sentence_uses_values_that_its_reason_has_and_is_found_by_it(template: str) -> None:
    french, count = TEMPLATES[template], template.count("{}")
    assert {int(one) for one in re.findall(r"{(\d)}", french)} <= set(range(count))
    values = [f"v{number}" for number in range(count)]
    reason = template.format(*values)
    assert french_reason(reason) == french.format(*values)


def test_amounts_labels_and_odd_characters_stand_in_the_french_as_they_came() -> None:
    reason = (
        "1,200 of “Enveloppes {A4} (bleu).*” are needed, but 5 are available;"
        " order more or narrow the target"
    )
    assert french_reason(reason) == (
        "Il faut 1,200 de « Enveloppes {A4} (bleu).* », mais 5 sont disponibles ; commandez-en ou"
        " réduisez la cible."
    )
    assert french_reason("the budget was not approved: trop cher\npour nous") == (
        "Le budget n’a pas été validé : trop cher\npour nous"
    )
    assert french_reason("something else") is None
