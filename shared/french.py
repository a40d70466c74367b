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
    "waits_external": "attend la validation de son contenu externe",
    "waits_start_approval": "attend la validation de son démarrage",
    "waits_submission": "sa prochaine validation attend d’être soumise",
    "waits_start": "démarre le {at}",
    "waits_missed": "son démarrage a été manqué : démarrez-la maintenant ou abandonnez-la",
    "waits_queue": "démarre dès qu’une place se libère",
    "waits_proof_queue": "son BAT est généré dès qu’une place se libère",
    "waits_wave": "sa vague {number} sur {total} part le {at}",
    "waits_late_wave": "sa vague {number} sur {total} partirait le {at}, après sa fin",
    "waits_end": (
        "sa dernière vague partirait après sa fin : reculez la fin, ou agrandissez ou rapprochez"
        " les vagues"
    ),
    "waits_window": "démarre aux prochaines heures creuses",
    "waits_series": "attend que sa campagne récurrente soit relancée",
    "waits_launch": "attend d’être lancée",
    "waits_schedule": "son calendrier attend d’être lancé",
    "waits_occurrence": "crée sa prochaine occurrence pour le {at}",
    "waits_last": "n’a plus de date : attend la fin de ses occurrences",
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
    "start_not_approved": (
        "Son démarrage n’est pas encore validé : demandez d’abord la validation."
    ),
    "proof_always": "Le BAT est toujours validé : aucun message ne part sans avoir été vu.",
    "nothing_to_ask_again": "{campaign} n’a aucune validation à redemander.",
    "target_not_approved": "Sa cible n’est pas encore validée : demandez d’abord la validation.",
    "control_too_big": "Un groupe témoin de cette taille ne laisse personne.",
    "waves_unclear": "Des vagues ont une taille et une période, ou les dates d’un calendrier.",
    "waves_over_all": "Une vague compte au plus 100 %.",
    "waves_in_no_order": "Les dates des vagues doivent se suivre.",
    "waves_too_many": "Plus de {most} vagues : agrandissez-les.",
    "waves_of_series": (
        "Les dates d’un calendrier sont celles d’une seule campagne : donnez une taille et une"
        " période."
    ),
    "waves_too_late": (
        "Sa dernière vague partirait le {at}, pas avant sa fin : agrandissez ou rapprochez les"
        " vagues, ou reculez la fin."
    ),
    "proof_of_series": "Les occurrences de {campaign} se valident chacune.",
    "no_missed_start": "{campaign} n’a pas de démarrage manqué.",
    # Plans, programs, schedules
    "period_wrong": "La fin précède le début.",
    "outside_plan": "Aucun jour ne tombe dans le plan {plan}.",
    "label_taken": "Ce libellé est déjà pris.",
    "unknown_plan": "Ce plan n’existe pas.",
    "unknown_program": "Ce programme n’existe pas.",
    "schedule_missing": "Définissez d’abord un calendrier.",
    "schedule_and_kind": (
        "Une campagne unique n’a pas de calendrier ; toute autre en a besoin d’un."
    ),
    "schedule_empty": "Le calendrier n’a aucune date entre le début et la fin de la campagne.",
    "schedule_over": "Il ne reste aucune date du calendrier avant la fin de la campagne.",
    "schedule_too_long": "Un calendrier dure 20 ans au plus : avancez la fin.",
    "schedule_too_dense": "Le calendrier créerait trop d’occurrences à la fois.",
    "schedule_wrong": "La récurrence se contredit ou n’a aucun jour.",
    "schedule_no_date": "{at} n’est pas une date et une heure.",
    "schedule_of_occurrence": (
        "{campaign} est une occurrence : définissez le calendrier de sa campagne."
    ),
    "cannot_schedule": "{campaign} est à l’état {status} : son calendrier ne se modifie pas.",
    "cannot_launch_schedule": (
        "{campaign} est à l’état {status} : son calendrier ne se lance pas."
    ),
    "has_occurrences": "{campaign} a des occurrences : elle ne peut plus devenir unique.",
    # Technical workflows
    "cannot_control": "{workflow} est {status} : cela n’est pas possible maintenant.",
    # Rights
    "unknown_operator": "Aucun opérateur actif n’a cette adresse.",
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
