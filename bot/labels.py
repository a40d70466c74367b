"""Names of states and controls in both languages, as the glossary has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from bot import formats
from bot.words import FRENCH, in_language
from shared.french import in_french
from shared.french_reasons import french_reason
from shared.rights import Right
from topics.campaign import CampaignStatus
from topics.delivery import ApprovalOutcome
from topics.workflows import Control, WorkflowStatus

_STATUS: Final[dict[CampaignStatus, tuple[str, str]]] = {
    CampaignStatus.NEW: ("New", "Nouveau"),
    CampaignStatus.READY_TO_TEST: ("Ready to test", "Prêt à tester"),
    CampaignStatus.PROOF_GENERATING: ("Proof being generated", "BAT en cours de génération"),
    CampaignStatus.PROOF_PENDING: ("Proof awaiting approval", "BAT en attente de validation"),
    CampaignStatus.READY_TO_RUN: ("Ready to run", "Prête à exécuter"),
    CampaignStatus.RUNNING: ("Running", "En cours d’exécution"),
    CampaignStatus.SUSPENDED: ("Suspended", "Suspendue"),
    CampaignStatus.FINISHED: ("Finished", "Terminée"),
    CampaignStatus.CANCELLED: ("Cancelled", "Annulée"),
    CampaignStatus.ERROR: ("Error", "Erreur"),
}
_OUTCOME: Final[dict[ApprovalOutcome, tuple[str, str]]] = {
    ApprovalOutcome.PENDING: ("waiting", "en attente"),
    ApprovalOutcome.APPROVED: ("approved", "validé"),
    ApprovalOutcome.CHANGES_REQUESTED: ("changes requested", "à corriger"),
    ApprovalOutcome.REJECTED: ("rejected", "refusé"),
    ApprovalOutcome.EXPIRED: ("expired", "expiré"),
    ApprovalOutcome.WITHDRAWN: ("withdrawn", "retiré"),
}
_WORKFLOW: Final[dict[WorkflowStatus, tuple[str, str]]] = {
    WorkflowStatus.STARTED: ("started", "démarré"),
    WorkflowStatus.PAUSED: ("paused", "en pause"),
    WorkflowStatus.STOPPED: ("stopped", "arrêté"),
    WorkflowStatus.FAILED: ("failed", "en échec"),
}
_CONTROL: Final[dict[Control, tuple[str, str]]] = {
    Control.START: ("Start", "Démarrer"),
    Control.PAUSE: ("Pause", "Mettre en pause"),
    Control.RESUME: ("Resume", "Reprendre"),
    Control.STOP: ("Stop", "Arrêter"),
    Control.RUN_NOW: ("Run now", "Exécuter maintenant"),
    Control.STOP_NOW: ("Stop unconditionally", "Arrêt inconditionnel"),
}

_RIGHT: Final[dict[Right, tuple[str, str]]] = {
    Right.READ: ("read", "lire"),
    Right.MANAGE_CAMPAIGNS: ("manage campaigns", "gérer les campagnes"),
    Right.APPROVE: ("approve", "valider"),
    Right.MANAGE_OPERATORS: ("manage operators", "gérer les opérateurs"),
    Right.CONTROL_WORKFLOWS: (
        "control technical workflows",
        "piloter les workflows techniques",
    ),
}


def status_name(language: str, status: CampaignStatus) -> str:
    """Return a campaign state's name."""
    return in_language(language, _STATUS[status])


def status_names(status: CampaignStatus) -> tuple[str, ...]:
    """Return all that a campaign state is called: its value and its name in both languages."""
    return (status.value, status.value.replace("_", " "), *_STATUS[status])


def outcome_name(language: str, outcome: ApprovalOutcome) -> str:
    """Return an approval end's name."""
    return in_language(language, _OUTCOME[outcome])


def workflow_name(language: str, status: WorkflowStatus) -> str:
    """Return a technical workflow state's name."""
    return in_language(language, _WORKFLOW[status])


def control_name(language: str, control: Control) -> str:
    """Return what a control's button says."""
    return in_language(language, _CONTROL[control])


def value_name(language: str, zone: ZoneInfo, field: str, value: str) -> str:
    """Return a value of a sentence (a state, a right, a time) in words."""
    if field in {"status", "to"}:
        known = {str(one): pair for one, pair in (*_STATUS.items(), *_WORKFLOW.items())}
        return in_language(language, known[value]).lower() if value in known else value
    if field == "right":
        return right_name(language, Right(value)) if value in set(Right) else value
    if field == "at":
        return formats.moment(datetime.fromisoformat(value), zone, language)
    return value


def reason_text(
    language: str, zone: ZoneInfo, reason: str, code: str | None, values: Mapping[str, str]
) -> str:
    """Return a reason in the reader's language, in the service's own words where that is all."""
    coded = None
    if language == FRENCH and code:
        coded = in_french(code, values, partial(value_name, language, zone))
    return coded or sentence(language, reason)


def sentence(language: str, reason: str) -> str:
    """Return a reason that travels without a code in the reader's language, where it has one."""
    return (french_reason(reason) if language == FRENCH else None) or reason


def right_name(language: str, right: Right) -> str:
    """Return what a right lets one do; its English name where there is no other."""
    return in_language(language, _RIGHT.get(right, (right.value, right.value)))
