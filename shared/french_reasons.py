"""French for reasons that travel as an English sentence alone, by their templates.

``{}`` in a template stands for a value of the sentence; ``{0}`` in its French is the first of them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from shared.french_event_reasons import EVENTS

BUDGET: Final[dict[str, str]] = {
    "this budget is not known; choose one that was saved": (
        "Ce budget n’existe pas ; choisissez-en un qui est enregistré."
    ),
    "a volume is over {}, which no audience is; count the target again": (
        "Un volume dépasse {0}, ce qu’aucune population n’atteint ; recomptez la cible."
    ),
    "choose a cost type of “{}” for this campaign": (
        "Choisissez un type de coût de « {0} » pour cette campagne."
    ),
    "the campaign may cost {}, but the budget “{}” has {} left; raise the budget or narrow the"
    " target": (
        "La campagne peut coûter {0}, mais il reste {2} dans le budget « {1} » ; augmentez le"
        " budget ou réduisez la cible."
    ),
    "this hold was given back before it was made; ask for a new one": (
        "Cette réservation a été rendue avant d’être faite ; demandez-en une autre."
    ),
    "the budget was not approved: {}": "Le budget n’a pas été validé : {0}",
    "there is no such hold": "Cette réservation de budget n’existe pas.",
    "this hold waits for no approval; it was decided or given back already": (
        "Cette réservation n’attend aucune validation : elle est décidée ou rendue."
    ),
    "whoever asked for money may not approve it; ask another reviewer": (
        "Qui demande de l’argent ne peut pas le valider ; demandez à un autre valideur."
    ),
    "say why, so that whoever asked knows": "Dites pourquoi, pour que le demandeur le sache.",
    "two cost structures have the same id": "Deux structures de coûts ont le même identifiant.",
    "there are two categories “{}”": "Il y a deux catégories « {0} ».",
    "the default cost type of “{}” is none of its structures": (
        "Le type de coût par défaut de « {0} » n’est pas une de ses structures."
    ),
    "the envelopes of the categories sum to {}, not to {}": (
        "Les enveloppes des catégories font {0} au total, et non {1}."
    ),
    "the budget has no such cost structure": "Le budget n’a pas cette structure de coûts.",
    "“{}” has a formula: only a fixed amount can be replaced": (
        "« {0} » a une formule : seul un montant fixe se remplace."
    ),
    "“{}” counts volumes: a task has fixed and daily costs": (
        "« {0} » compte des volumes : une tâche a des coûts fixes et journaliers."
    ),
    "“{}” is a cost of tasks, not of campaigns": ("« {0} » est un coût de tâche, non de campagne."),
    "two cost types of “{}” are chosen; choose one": (
        "Deux types de coût de « {0} » sont choisis ; choisissez-en un."
    ),
    "“{}” takes goods, which leave with a supplier's file: it must be fixed or count letters": (
        "« {0} » prend du stock, qui sort avec le fichier d’un prestataire : il doit être fixe ou"
        " compter des courriers."
    ),
    "“{}” is fixed, so it counts nothing: its driver must be “none”": (
        "« {0} » est fixe et ne compte rien : son unité doit être « none »."
    ),
    "“{}” is dearer than a budget can be": "« {0} » dépasse ce qu’un budget peut contenir.",
    "“{}” is fixed: give an amount, no unit price": (
        "« {0} » est fixe : donnez un montant, pas de prix unitaire."
    ),
    "“{}” is linear: give a unit price only": (
        "« {0} » est linéaire : donnez un prix unitaire seulement."
    ),
    "“{}” is linear by threshold: give a unit price a band": (
        "« {0} » est linéaire par seuil : donnez un prix unitaire par tranche."
    ),
    "“{}” is constant by threshold: give an amount a band": (
        "« {0} » est constant par seuil : donnez un montant par tranche."
    ),
    "“{}” counts days of tasks: its driver must be “none”": (
        "« {0} » compte les jours des tâches : son unité doit être « none »."
    ),
    "“{}” is daily: give what a day costs as unit price": (
        "« {0} » est journalier : donnez le coût d’un jour comme prix unitaire."
    ),
    "“{}” is {}: choose what it counts (emails, letters, organisations or persons)": (
        "« {0} » dépend d’un volume : choisissez ce qu’il compte (e-mails, courriers, sociétés ou"
        " personnes)."
    ),
    "“{}” has bands: its prices are theirs": "« {0} » a des tranches : ses prix sont les leurs.",
    "“{}” needs a last band without bound, for whatever is above": (
        "« {0} » a besoin d’une dernière tranche sans limite, pour tout ce qui est au-dessus."
    ),
    "“{}” is not linear: only a linear cost is for batches": (
        "« {0} » n’est pas linéaire : seul un coût linéaire se compte par lots."
    ),
    "the bands of “{}” must rise: {} follows {}": (
        "Les tranches de « {0} » doivent croître : {1} suit {2}."
    ),
    "“{}” has no thresholds: leave its bands out": (
        "« {0} » n’a pas de seuils : laissez ses tranches de côté."
    ),
    "the budget ends on {}, before it starts on {}": (
        "Le budget finit le {0}, avant de commencer le {1}."
    ),
    "a budget cannot belong to itself, nor to one that belongs to it": (
        "Un budget ne peut appartenir ni à lui-même, ni à un budget qui lui appartient."
    ),
    "the main budget is not known": "Le budget principal n’existe pas.",
    "the currency stays {}: amounts were held or spent in it": (
        "La devise reste {0} : des montants y ont été réservés ou dépensés."
    ),
    "{} are held and {} are spent: allocate at least their sum": (
        "{0} sont réservés et {1} dépensés : allouez au moins leur somme."
    ),
    "a budget can hold {} at most": "Un budget contient {0} au plus.",
    "a task is saved with its costs: use SaveTask": (
        "Une tâche s’enregistre avec ses coûts : utilisez SaveTask."
    ),
    "the categories sum to {}, the {} cost is {}": (
        "Les catégories font {0} au total, et le coût {2}."
    ),
    "a real cost is typed once the campaign is finished": (
        "Un coût réel se saisit une fois la campagne terminée."
    ),
    "a real cost is typed once the task is finished": (
        "Un coût réel se saisit une fois la tâche terminée."
    ),
    "the lines sum to {}, the total is {}": "Les lignes font {0} au total, et non {1}.",
    "name both what a line is for and its id, or neither": (
        "Indiquez l’objet d’une ligne et son identifiant, ou aucun des deux."
    ),
    "a line is for a delivery or a task": "Une ligne concerne une diffusion ou une tâche.",
    "this order number of this supplier is known already": (
        "Ce numéro de commande de ce prestataire est déjà connu."
    ),
    "this invoice number of this supplier is known already": (
        "Ce numéro de facture de ce prestataire est déjà connu."
    ),
    "this invoice is {}: it can no longer change": (
        "Cette facture est réglée ou annulée : elle ne change plus."
    ),
    "there is no such invoice": "Cette facture n’existe pas.",
    "there is no such order": "Cette commande n’existe pas.",
    "a currency has no rate to itself": "Une devise n’a pas de cours vers elle-même.",
    "the budget has no cost of this {}": "Le budget n’a aucun coût de cet objet.",
    "no rate from {} to {} is known on {}: save one first": (
        "Aucun cours de {0} vers {1} n’est connu le {2} : enregistrez-en un d’abord."
    ),
    "no rate from {} to {} is known on {}": "Aucun cours de {0} vers {1} n’est connu le {2}.",
    "a task belongs to a campaign or a program": (
        "Une tâche appartient à une campagne ou à un programme."
    ),
    "the task ends before it starts": "La tâche finit avant de commencer.",
    "choose the budget that the task is charged to": (
        "Choisissez le budget sur lequel la tâche est imputée."
    ),
    "a task stays with its budget; cancel it and save another one": (
        "Une tâche garde son budget ; annulez-la et enregistrez-en une autre."
    ),
    "whoever is in charge may not approve the money; ask another reviewer": (
        "Le responsable ne peut pas valider l’argent ; demandez à un autre valideur."
    ),
    "there is no such task": "Cette tâche n’existe pas.",
    "only the person in charge finishes a task": "Seul le responsable termine une tâche.",
    "a task that is {} cannot become {}": "L’état de cette tâche ne permet pas ce changement.",
    "the task takes {} more, but the budget “{}” has {} left; raise the budget or only plan the"
    " task": (
        "La tâche prend {0} de plus, mais il reste {2} dans le budget « {1} » ; augmentez le"
        " budget ou planifiez seulement la tâche."
    ),
}
STOCK: Final[dict[str, str]] = {
    "{} of “{}” are needed, but {} are available; order more or narrow the target": (
        "Il faut {0} de « {1} », mais {2} sont disponibles ; commandez-en ou réduisez la cible."
    ),
    "a line holds {} at most": "Une ligne contient {0} au plus.",
    "“{}” began with {}, which counts once; order more instead": (
        "« {0} » a commencé avec {1}, ce qui compte une fois ; passez plutôt une commande."
    ),
    "this reservation was given back before it was made; ask for a new one": (
        "Cette réservation de stock a été rendue avant d’être faite ; demandez-en une autre."
    ),
    "this stock line is not known; save it first": (
        "Cette ligne de stock n’existe pas ; enregistrez-la d’abord."
    ),
    "this stock line is not known; choose one that was saved": (
        "Cette ligne de stock n’existe pas ; choisissez-en une qui est enregistrée."
    ),
    "an order brings {} at most": "Une commande apporte {0} au plus.",
    "this order id stands for another order": ("Cet identifiant désigne une autre commande."),
}
TARGETING: Final[dict[str, str]] = {
    "a control group of {} leaves nobody of {}: make it smaller": (
        "Un groupe témoin de {0} ne laisse personne sur {1} : réduisez-le."
    ),
    "there is no such targeting: choose another one": (
        "Ce ciblage n’existe pas : choisissez-en un autre."
    ),
    "nobody is in this target: change the targeting": (
        "Personne n’est dans cette cible : modifiez le ciblage."
    ),
    "could not be counted ({})": "Le comptage a échoué ({0}).",
    "the target takes too long to count: make it simpler": (
        "La cible est trop longue à compter : simplifiez-la."
    ),
    "the query takes too long: make it simpler": ("La requête est trop longue : simplifiez-la."),
    "the query fails while it runs ({})": "La requête échoue à l’exécution ({0}).",
    "the query gives out more than {} ids": "La requête rend plus de {0} identifiants.",
    "the first column must be the id: site_id, contact_id or deal_id as it counts": (
        "La première colonne doit être l’identifiant : site_id, contact_id ou deal_id selon ce"
        " qui est compté."
    ),
    "direct SQL is not set up here: run muster migrate": (
        "Le SQL direct n’est pas installé ici : lancez muster migrate."
    ),
    "the label holds a character that no text has (NUL)": (
        "Le libellé contient un caractère qu’aucun texte n’a (NUL)."
    ),
    "{} holds a character that no text has (NUL)": (
        "{0} contient un caractère qu’aucun texte n’a (NUL)."
    ),
    "criteria and SQL do not go together: leave one out": (
        "Critères et SQL ne vont pas ensemble : laissez l’un des deux."
    ),
    "write the query: one SELECT whose first column is the id": (
        "Écrivez la requête : un SELECT dont la première colonne est l’identifiant."
    ),
    "there is no field {}; choose among {}": "Le champ {0} n’existe pas ; choisissez parmi {1}.",
    "{} is no text: {} compares text": "{0} n’est pas un texte : {1} compare des textes.",
    "{} is text: {} compares numbers and dates": (
        "{0} est un texte : {1} compare des nombres et des dates."
    ),
    "{} takes dates such as 2027-01-31": "{0} prend des dates comme 2027-01-31.",
    "{} takes numbers of at most 18 digits": "{0} prend des nombres de 18 chiffres au plus.",
    "{} takes whole numbers such as 250": "{0} prend des nombres entiers comme 250.",
    "{} {} takes {}, not {}": "{0} {1} : le nombre de valeurs ne convient pas ({3}).",
    "the header is not that of {}: {}. The first line must be {}": (
        "L’en-tête n’est pas celui de {0} : {1}. La première ligne doit être {2}"
    ),
    "cannot read {}: {}": "Lecture impossible de {0} : {1}",
    "cannot write {}: {}": "Écriture impossible de {0} : {1}",
    "has {} fields; the header has {}": "a {0} champs ; l’en-tête en a {1}",
    "names no record of {}: import {} first": (
        "ne désigne aucun enregistrement de {0} : importez d’abord {1}"
    ),
}
SQL: Final[dict[str, str]] = {
    "The query has no stable form: write it more simply.": (
        "La requête n’a pas de forme stable : écrivez-la plus simplement."
    ),
    "Write one query, without a second statement behind it.": (
        "Écrivez une seule requête, sans deuxième instruction derrière."
    ),
    "Write one query that starts with SELECT or WITH.": (
        "Écrivez une requête qui commence par SELECT ou WITH."
    ),
    "The query is nested too deeply.": "La requête est trop imbriquée.",
    "This part is not among those that a query may use.": (
        "Cette partie n’est pas de celles qu’une requête peut utiliser."
    ),
    "This is no unit of time.": "Ce n’est pas une unité de temps.",
    "This type is not among those that a query may use.": (
        "Ce type n’est pas de ceux qu’une requête peut utiliser."
    ),
    "A query reads from views and subqueries only.": (
        "Une requête ne lit que des vues et des sous-requêtes."
    ),
    "A name is longer than {} bytes.": "Un nom dépasse {0} octets.",
    "This is not a query that can be understood.": "Cette requête ne se comprend pas.",
    "This column is not in the tables that the query reads; name computed ones with AS.": (
        "Cette colonne n’est pas dans les tables lues ; nommez les colonnes calculées avec AS."
    ),
    "System columns cannot be read.": "Les colonnes système ne se lisent pas.",
    "name.* may stand in the select list only, for a table it reads.": (
        "nom.* n’est permis que dans la liste du SELECT, pour une table lue."
    ),
    "* may stand in the select list and in count(*) only.": (
        "* n’est permis que dans la liste du SELECT et dans count(*)."
    ),
    "Write a join without parentheses around its tables.": (
        "Écrivez une jointure sans parenthèses autour de ses tables."
    ),
    "This table cannot be read. The views are: {}.": (
        "Cette table ne se lit pas. Les vues sont : {0}."
    ),
    "Give the subquery a name: (SELECT …) AS name.": (
        "Donnez un nom à la sous-requête : (SELECT …) AS nom."
    ),
    "Two tables have the same name: give one an alias.": (
        "Deux tables ont le même nom : donnez un alias à l’une."
    ),
    "The query is longer than {} characters.": "La requête dépasse {0} caractères.",
    "The query holds a control character.": "La requête contient un caractère de contrôle.",
    "This text cannot be kept as written: write it in another way.": (
        "Ce texte ne se conserve pas tel quel : écrivez-le autrement."
    ),
    "A quoted name cannot stand before a parenthesis.": (
        "Un nom entre guillemets ne peut précéder une parenthèse."
    ),
    "This function is not among those that a query may use.": (
        "Cette fonction n’est pas de celles qu’une requête peut utiliser."
    ),
    "Brackets belong behind ARRAY or a type.": (
        "Les crochets se placent derrière ARRAY ou un type."
    ),
    "A quotation mark or a comment is not closed.": (
        "Un guillemet ou un commentaire n’est pas fermé."
    ),
    "A query reads: this word or sign is not part of one.": (
        "Une requête lit : ce mot ou ce signe n’en fait pas partie."
    ),
    "Write texts between single quotation marks.": "Écrivez les textes entre apostrophes.",
    "Put a space behind the number.": "Mettez une espace derrière le nombre.",
}
ACTIONS: Final[dict[str, str]] = {
    "the code {} is another model's: choose one that is free": (
        "Le code {0} est celui d’un autre modèle : choisissez-en un libre."
    ),
    "the actions are being generated: cancel this member's action afterwards": (
        "Les actions sont en cours de génération : annulez celle de ce membre ensuite."
    ),
    "this member's actions are generated: cancel them instead": (
        "Les actions de ce membre sont générées : annulez-les plutôt."
    ),
    "{} of the campaign's action models are not saved: save them": (
        "{0} modèles d’action de la campagne ne sont pas enregistrés : enregistrez-les."
    ),
    "take the cursor from the page before": "Prenez le curseur de la page précédente.",
    "name at least one action, or ask for all": (
        "Nommez au moins une action, ou demandez-les toutes."
    ),
    "{} of these {} actions are not in this campaign: list them again": (
        "{0} de ces {1} actions ne sont pas dans cette campagne : listez-les à nouveau."
    ),
    "no action could be moved: to {}, an action must be {}": (
        "Aucune action n’a pu changer d’état : aucune n’est à un état qui le permet."
    ),
}
TEMPLATES: Final = BUDGET | STOCK | TARGETING | SQL | ACTIONS | EVENTS


def french_reason(reason: str) -> str | None:
    """Return the French of a reason; ``None`` when none of the templates is its own."""
    if reason in TEMPLATES:
        return TEMPLATES[reason]
    for pattern, french in _patterns():
        if found := pattern.fullmatch(reason):
            return french.format(*found.groups())
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the templates with values, those that say most first: they mistake least."""
    ordered = sorted((one for one in TEMPLATES if "{}" in one), key=len, reverse=True)
    return tuple(
        (re.compile("(.+?)".join(map(re.escape, one.split("{}"))), re.DOTALL), TEMPLATES[one])
        for one in ordered
    )
