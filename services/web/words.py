"""The words of the pages, in English and French: one key, two texts."""

from __future__ import annotations

from typing import Final

from services.web.domain import LANGUAGES
from topics.campaign import CampaignStatus
from topics.workflows import WorkflowStatus

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Muster", "Muster"),
    "lead": ("Campaigns at a glance", "Les campagnes en un coup d’œil"),
    "skip": ("Skip to content", "Aller au contenu"),
    "other_language": ("Français", "English"),
    "as_of": ("As of", "Situation au"),
    "refresh": ("Refresh every 5 seconds", "Actualiser toutes les 5 secondes"),
    "mails": ("Caught mails", "Mails interceptés"),
    "campaigns": ("Campaigns", "Campagnes"),
    "approvals": ("Waiting for a decision", "En attente de décision"),
    "budgets": ("Budgets", "Budgets"),
    "workflows": ("Technical workflows", "Workflows techniques"),
    "number": ("Number", "Numéro"),
    "label": ("Label", "Libellé"),
    "state": ("State", "État"),
    "dates": ("From – to", "Du – au"),
    "targeted": ("Target", "Cible"),
    "sent": ("Messages sent", "Messages envoyés"),
    "waiting_for": ("Waits for", "En attente de"),
    "campaign": ("Campaign", "Campagne"),
    "recipients": ("Recipients", "Destinataires"),
    "asked_at": ("Asked", "Demandée"),
    "deadline": ("Deadline", "Échéance"),
    "allocated": ("Allocated", "Alloué"),
    "reserved": ("Reserved", "Réservé"),
    "spent": ("Spent", "Dépensé"),
    "left": ("Left", "Reste"),
    "workflow": ("Workflow", "Workflow"),
    "service": ("Service", "Service"),
    "last_run": ("Last run", "Dernière exécution"),
    "next_run": ("Next run", "Prochaine exécution"),
    "error": ("Error", "Erreur"),
    "policy": ("On failure", "En cas d’échec"),
    "policy_stop": ("stops at once", "s’arrête aussitôt"),
    "policy_ignore": ("ignores {most} in a row", "en ignore {most} de suite"),
    "policy_used": (
        "ignores {most} in a row, {count} so far",
        "en ignore {most} de suite, déjà {count}",
    ),
    "late_since": ("late since", "en retard depuis le"),
    "campaigns_wait": ("campaigns that wait for it:", "campagnes qui l’attendent :"),
    "start": ("Start", "Démarrer"),
    "never": ("not yet", "pas encore"),
    "older": ("Older campaigns", "Campagnes plus anciennes"),
    "newest": ("Newest campaigns", "Campagnes les plus récentes"),
    "no_campaigns": ("No campaign yet.", "Aucune campagne pour l’instant."),
    "no_campaigns_next": (
        (
            "Write “/campaign new” in Slack, or send POST /api/v1/campaign/campaigns with a token."
            " “make demo” drives a whole campaign here."
        ),
        (
            "Écrivez « /campaign new » dans Slack, ou envoyez POST /api/v1/campaign/campaigns"
            " avec un jeton. « make demo » déroule ici une campagne entière."
        ),
    ),
    "no_approvals": (
        "Nothing waits for a decision. Approval cards appear in Slack once a proof is sent.",
        (
            "Rien n’attend de décision. Les demandes de validation arrivent dans Slack quand un"
            " BAT est envoyé."
        ),
    ),
    "no_budgets": (
        "No budget yet. Send one to /api/v1/budget/budgets; campaigns can then hold money.",
        (
            "Aucun budget pour l’instant. Envoyez-en un à /api/v1/budget/budgets ; les campagnes"
            " pourront réserver des montants."
        ),
    ),
    "no_workflows": (
        "No workflow has reported yet. Start the services with “muster up”, and they appear.",
        (
            "Aucun workflow ne s’est encore signalé. Démarrez les services avec « muster up »"
            " et ils apparaîtront."
        ),
    ),
    "signin": ("Sign in", "Connexion"),
    "signin_lead": (
        (
            "Paste an API token (mst_…) that may read. An administrator makes one with"
            " “muster token create”."
        ),
        (
            "Collez un jeton d’API (mst_…) qui permet la lecture. Un administrateur en crée un avec"
            " « muster token create »."
        ),
    ),
    "token": ("Token", "Jeton"),
    "signin_button": ("Sign in", "Se connecter"),
    "signout": ("Sign out", "Se déconnecter"),
    "signin_refused": (
        "This token is not known, has expired, was revoked, or may not read.",
        "Ce jeton est inconnu, expiré, révoqué, ou ne permet pas la lecture.",
    ),
}
# Label in both languages, a sign that needs no colour to be told apart, and a tone.
_CAMPAIGN: Final[dict[CampaignStatus, tuple[str, str, str, str]]] = {
    CampaignStatus.NEW: ("New", "Nouveau", "○", "quiet"),
    CampaignStatus.READY_TO_TEST: ("Ready to test", "Prêt à tester", "◔", "info"),
    CampaignStatus.PROOF_GENERATING: (
        "Proof being generated",
        "BAT en cours de génération",
        "◑",
        "info",
    ),
    CampaignStatus.PROOF_PENDING: (
        "Proof awaiting approval",
        "BAT en attente de validation",
        "◕",
        "warn",
    ),
    CampaignStatus.READY_TO_RUN: ("Ready to run", "Prête à exécuter", "●", "info"),
    CampaignStatus.RUNNING: ("Running", "En cours d’exécution", "▶\ufe0e", "good"),
    CampaignStatus.SUSPENDED: ("Suspended", "Suspendue", "‖", "warn"),
    CampaignStatus.FINISHED: ("Finished", "Terminée", "✓", "good"),
    CampaignStatus.CANCELLED: ("Cancelled", "Annulée", "✕", "quiet"),
    CampaignStatus.ERROR: ("Error", "Erreur", "!", "bad"),
}
_WORKFLOW: Final[dict[WorkflowStatus, tuple[str, str, str, str]]] = {
    WorkflowStatus.STARTED: ("Started", "Démarré", "▶\ufe0e", "good"),
    WorkflowStatus.PAUSED: ("Paused", "En pause", "‖", "warn"),
    WorkflowStatus.STOPPED: ("Stopped", "Arrêté", "■", "warn"),
    WorkflowStatus.FAILED: ("Failed", "En échec", "!", "bad"),
}


class Badge(dict[str, str]):
    """A state as it is shown: ``word``, ``sign``, ``tone``."""


def words(language: str) -> dict[str, str]:
    """Return the words of a language."""
    column = LANGUAGES.index(language)
    return {name: both[column] for name, both in _WORDS.items()}


def campaign_badge(status: str, language: str) -> Badge:
    """Return how a campaign's state is shown."""
    return _badge(_CAMPAIGN[CampaignStatus(status)], language)


def workflow_badge(status: str, language: str) -> Badge:
    """Return how a technical workflow's state is shown."""
    return _badge(_WORKFLOW[WorkflowStatus(status)], language)


def policy_text(ignored: int, failures: int, language: str) -> str:
    """Return an error policy in words, with the failures in a row so far."""
    known = words(language)
    if ignored == 0:
        return known["policy_stop"]
    used = known["policy_used" if failures else "policy_ignore"]
    return used.format(most=ignored, count=failures)


def _badge(entry: tuple[str, str, str, str], language: str) -> Badge:
    return Badge(word=entry[LANGUAGES.index(language)], sign=entry[2], tone=entry[3])


def choose_language(asked: str | None, accepted: str) -> str:
    """Return the language asked for, else the one the browser prefers, else English."""
    if asked in LANGUAGES:
        return asked
    wishes = [_wish(part) for part in accepted.split(",")]
    ranked = sorted((one for one in wishes if one[1] in LANGUAGES), key=lambda one: -one[0])
    return ranked[0][1] if ranked else "en"


def _wish(part: str) -> tuple[float, str]:
    tag, _, quality = part.partition(";")
    try:
        weight = float(quality.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0.0
    return weight, tag.strip()[:2].lower()
