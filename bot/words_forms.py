"""What the steps of the campaign form say, in English and French."""

from __future__ import annotations

from typing import Final

FORMS: Final[dict[str, tuple[str, str]]] = {
    "new_campaign": ("New campaign", "Nouvelle campagne"),
    "campaign_number": ("Campaign {number}", "Campagne {number}"),
    "number_comes": ("Its number is on its way…", "Son numéro arrive…"),
    "number_is": ("This will be *{number}*.", "Ce sera *{number}*."),
    "save": ("Save", "Enregistrer"),
    "close": ("Close", "Fermer"),
    "label": ("Label", "Libellé"),
    "start_date": ("Start date", "Date de début"),
    "start_time": ("Start time ({zone})", "Heure de début ({zone})"),
    "start_hint": ("Empty means now.", "Vide : maintenant."),
    "end_date": ("End date", "Date de fin"),
    "end_hint": ("Empty means 90 days after the start.", "Vide : 90 jours après le début."),
    "targeting": ("Targeting", "Ciblage"),
    "template": ("Message template", "Modèle de message"),
    "budget": ("Budget", "Budget"),
    "models": ("Action models", "Modèles d’action"),
    "service": ("Supplier’s service", "Service du prestataire"),
    "stock": ("Stock line", "Ligne de stock"),
    "reviewers": ("Reviewers", "Valideurs"),
    "description": ("Description", "Description"),
    "remark": ("Remark", "Remarque"),
    "choose": ("Type to search", "Tapez pour chercher"),
    "proof_now": ("Proof", "BAT"),
    "proof_now_choice": (
        "Ask for the proof as soon as the target is counted",
        "Demander le BAT dès que la cible est comptée",
    ),
    "label_missing": ("A campaign needs a label.", "Une campagne a besoin d’un libellé."),
    "label_long": (
        "At most 200 characters; this has {count}.",
        "200 caractères au plus ; celui-ci en a {count}.",
    ),
    "date_missing": (
        "Choose a date for this time, or clear the time.",
        "Choisissez une date pour cette heure, ou effacez l’heure.",
    ),
    "end_before": ("The end must come after the start.", "La fin doit suivre le début."),
    "end_past": ("The end has passed already.", "La fin est déjà passée."),
    "gone": (
        "This choice no longer exists; choose another.",
        "Ce choix n’existe plus ; choisissez-en un autre.",
    ),
    "step_of": ("Step {step} of 3. {number}", "Étape {step} sur 3. {number}"),
    "go_on": ("Next", "Suivant"),
    "back": ("Back", "Retour"),
    "program": ("Program", "Programme"),
    # Whom it reaches
    "or_criteria": (
        "Or describe whom it is for; all that is filled in must hold.",
        "Ou décrivez à qui elle s’adresse ; tout ce qui est rempli doit être vrai.",
    ),
    "country": ("Countries", "Pays"),
    "hint_country": ("Two letters each: FR, BE", "Deux lettres chacun : FR, BE"),
    "postal_code": ("Postal code", "Code postal"),
    "hint_postal_code": ("How it begins: 75", "Son début : 75"),
    "segment": ("Segments", "Segments"),
    "hint_segment": ("As in the directory, with commas", "Comme dans l’annuaire, avec virgules"),
    "language": ("Languages", "Langues"),
    "hint_language": ("Of the contact: en, fr", "Du contact : en, fr"),
    "one_only": ("One beginning only.", "Un seul début."),
    "either_target": (
        "Choose a targeting or describe whom it is for, not both.",
        "Choisissez un ciblage ou décrivez la cible, pas les deux.",
    ),
    "own_target": ("Target of {name}", "Cible de {name}"),
    "count_it": ("Count", "Compter"),
    "count_none": (
        "Choose or describe a target: its count stands here.",
        "Choisissez ou décrivez une cible : son comptage s’affiche ici.",
    ),
    "counting": (":hourglass: Counting…", ":hourglass: Comptage en cours…"),
    "count_refused": ("It cannot be counted: {reason}", "Comptage impossible : {reason}"),
    "count_line": (
        (
            "*{reachable}* will be reached: {matched} people − {duplicates} doubles"
            " − {opted_out} opted out − {without_email} without e-mail"
            " ({records} records, {organisations} organisations)."
        ),
        (
            "*{reachable}* seront joints : {matched} personnes − {duplicates} doublons"
            " − {opted_out} désinscrits − {without_email} sans e-mail"
            " ({records} fiches, {organisations} organisations)."
        ),
    ),
    # What it takes
    "per_letter": ("Goods in each letter", "Articles par courrier"),
    "hint_per_letter": ("Empty means one.", "Vide : un."),
    "per_letter_wrong": (
        "A whole number from 1 to {most}.",
        "Un nombre entier de 1 à {most}.",
    ),
    "also_kept": ("Also taken over: {what}.", "Repris aussi : {what}."),
    "kept_priority": ("priority", "priorité"),
    "kept_weight": ("weight", "poids"),
    "kept_severity": ("severity", "criticité"),
    "kept_low_activity": ("hours of low activity", "heures creuses"),
    "kept_control_group": ("control group", "population témoin"),
    "kept_waves": ("waves", "vagues"),
    "kept_approvals": ("approval rules", "règles de validation"),
    "reckon_it": ("Estimate", "Estimer"),
    "reckoning": (":hourglass: being estimated…", ":hourglass: estimation en cours…"),
    "cost_none": (
        "choose a budget to see it, and what is left",
        "choisissez un budget pour le voir, avec ce qui reste",
    ),
    "goods_line": (
        "{asked} needed, {available} available.",
        "{asked} nécessaires, {available} disponibles.",
    ),
    "goods_lacking": ("That is not enough.", "Ce n’est pas assez."),
    "goods_alert": ("The alert level would be reached.", "Le seuil d’alerte serait atteint."),
    "mend": ("{field}: {error}", "{field} : {error}"),
    "form_gone": (
        "This form is not there any more. Start another with `/campaign new`.",
        "Ce formulaire n’existe plus. Commencez-en un autre avec `/campaign new`.",
    ),
    "form_again": ("Back to the form", "Revenir au formulaire"),
}
