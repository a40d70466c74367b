"""French readers get French reasons; every code a campaign's rules give has its sentence."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest

from bot.labels import reason_text
from bot.lists import campaign_status, waits
from shared.errors import Refused
from shared.french import SENTENCES
from shared.rights import Right
from tests.unit.bot import samples
from topics.campaign import CampaignStatus
from topics.waves import WaveProgress

REPOSITORY = Path(__file__).parent.parent.parent.parent
SOURCES = [
    *(REPOSITORY / "services" / "campaign").rglob("*.py"),
    REPOSITORY / "shared/controls.py",
]
CODES = sorted(
    {
        code
        for source in SOURCES
        for code in re.findall(r'(?:code=|Wait\([^()]*?, )"([a-z_]+)"', source.read_text())
    }
)


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_campaigns_or_workflows_has_a_french_sentence(code: str) -> None:
    assert code in SENTENCES


def test_what_a_campaign_waits_for_is_said_in_the_readers_language() -> None:
    state = samples.a_campaign(
        waiting_for="waits for operationMgt, which is stopped",
        waiting_workflow="operationMgt",
        waiting_code="waits_workflow",
        waiting_values={"workflow": "operationMgt", "status": "stopped"},
    )
    assert "attend operationMgt, qui est arrêté" in str(waits(state, "fr"))
    assert "waits for operationMgt, which is stopped" in str(waits(state, "en"))
    later = samples.a_campaign(
        waiting_for="starts at 2026-12-01T08:00+00:00",
        waiting_code="waits_start",
        waiting_values={"at": "2026-12-01T08:00+00:00"},
    )
    shown = str(campaign_status(later, {}, samples.FRENCH, now=samples.NOW))
    assert "démarre le 1 déc. 2026, 09:00 (Europe/Paris)" in shown


def test_waves_are_counted_and_the_next_one_announced_in_both_languages() -> None:
    state = samples.a_campaign(
        waves=WaveProgress(opened=2, total=5),
        waiting_for="its wave 3 of 5 leaves at 2026-12-01T08:00+00:00",
        waiting_code="waits_wave",
        waiting_values={"at": "2026-12-01T08:00+00:00", "number": "3", "total": "5"},
    )
    shown = str(campaign_status(state, {}, samples.FRENCH, now=samples.NOW))
    assert "2 sur 5 ouvertes" in shown
    assert "sa vague 3 sur 5 part le 1 déc. 2026, 09:00 (Europe/Paris)" in shown
    english = str(campaign_status(state, {}, samples.ENGLISH, now=samples.NOW))
    assert "2 of 5 open" in english
    assert "its wave 3 of 5 leaves at" in english


def french(refusal: Refused) -> str:
    return reason_text("fr", samples.PARIS, refusal.reason, refusal.code, refusal.values)


def test_a_refusal_is_said_in_french_with_states_and_rights_in_words() -> None:
    stuck = Refused(
        "C-7 is running", code="cannot_edit", campaign="C-7", status=CampaignStatus.RUNNING
    )
    assert french(stuck) == "C-7 est à l’état en cours d’exécution : elle n’est pas modifiable."
    no = Refused("no", code="not_allowed", operator="Ada", right=Right.MANAGE_CAMPAIGNS)
    assert french(no) == "Ada n’a pas le droit : gérer les campagnes."


def test_a_reason_that_travels_without_a_code_is_said_in_french_too() -> None:
    lacking = Refused("10 of “A4” are needed, but 2 are available; order more or narrow the target")
    assert french(lacking).startswith("Il faut 10 de « A4 »")
    english = reason_text("en", samples.PARIS, lacking.reason, None, {})
    assert english == lacking.reason


def test_what_has_no_french_sentence_is_shown_as_it_came() -> None:
    assert french(Refused(f"unheard of {uuid4().int % 7}", code="new_code")).startswith("unheard")
    assert french(Refused("less is known", code="cannot_edit")) == "less is known"
