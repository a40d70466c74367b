"""What services say by code, in French: reasons of refusals, and what a campaign waits for.

Services decide and speak English; a code and its values travel with the sentence, so that a French
reader gets a French one. A code without a sentence here is shown in English rather than not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

SENTENCES: Final[dict[str, str]] = {
    # What a campaign waits for
    "waits_workflow": "attend {workflow}, qui est {status}",
    "waits_means": "attend son budget et son stock",
    "waits_proof": "attend la validation de son BAT",
    "waits_target": "attend la validation de sa cible",
    "waits_start": "démarre le {at}",
    # Campaigns
    "cannot_move": "{campaign} est à l’état {status} : elle ne peut pas passer à {to}.",
    "cannot_edit": "{campaign} est à l’état {status} : elle n’est pas modifiable.",
    "suspend_to_edit": (
        "{campaign} est à l’état {status} : suspendez-la d’abord, puis modifiez-la."
    ),
    "over_to_edit": (
        "La fin de {campaign} est atteinte et a terminé ses messages : créez-en une autre."
    ),
    "cannot_launch": (
        "{campaign} est à l’état {status} : seule une campagne prête à exécuter se lance."
    ),
    "cannot_resume": "{campaign} est à l’état {status} : seule une campagne suspendue se reprend.",
    "cannot_retry": "{campaign} est à l’état {status} : seule une campagne en erreur se relance.",
    "label_missing": "Une campagne a besoin d’un libellé.",
    "fixed_once_saved": "La description et la remarque sont figées après l’enregistrement.",
    "unknown_zone": "{zone} n’est pas un fuseau horaire ; essayez par exemple Europe/Paris.",
    "end_before_start": "La fin doit suivre le début.",
    "unknown_campaign": "Cette campagne n’existe pas.",
    "saved_already": "Cette campagne est déjà enregistrée.",
    "approved_already": "{campaign} est déjà validée.",
    "proof_under_way": "Un BAT ou une validation de {campaign} est déjà en cours.",
    "no_target": "Choisissez d’abord une cible, et attendez son comptage.",
    "no_content": "Choisissez d’abord un modèle de message ou des modèles d’action.",
    "target_not_approved": "Sa cible n’est pas encore validée : demandez d’abord la validation.",
    # Technical workflows
    "cannot_control": "{workflow} est {status} : cela n’est pas possible maintenant.",
    # Rights
    "not_allowed": "{operator} n’a pas le droit : {right}.",
}

Name = Callable[[str, str], str]


def in_french(code: str, values: Mapping[str, str], name: Name) -> str | None:
    """Return a sentence in French; ``None`` when there is none for the code.

    ``name(field, value)`` puts a value (a state, a right, a time) into French words.
    """
    sentence = SENTENCES.get(code)
    if sentence is None:
        return None
    try:
        return sentence.format(**{field: name(field, text) for field, text in values.items()})
    except KeyError:
        # Another version of the service says less: better its English than half a sentence.
        return None
