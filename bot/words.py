"""What the bot says, in English and French: one key, two sentences."""

from __future__ import annotations

from typing import Final

from bot.words_course import COURSE
from bot.words_events import EVENTS
from bot.words_files import FILES
from bot.words_forms import FORMS
from bot.words_levels import LEVELS
from bot.words_orders import ORDERS
from bot.words_screens import SCREENS
from bot.words_workspaces import WORKSPACES

_WORDS: Final[dict[str, tuple[str, str]]] = {
    **SCREENS,
    **COURSE,
    **FILES,
    **EVENTS,
    **FORMS,
    **LEVELS,
    **ORDERS,
    **WORKSPACES,
    # Refusals and troubles
    "no_right": (
        "Sorry, {name}, your role does not let you do that (it takes the right to {right}).",
        "Désolé, {name}, votre rôle ne le permet pas (il faut le droit : {right}).",
    ),
    "not_recorded": (
        "This was *not recorded*: Muster is busy or its database is away. Please press again.",
        (
            "Ceci n’a *pas été enregistré* : Muster est occupé ou sa base est absente."
            " Veuillez réessayer."
        ),
    ),
    "type_again": (
        "This was *not recorded*: Muster is busy or its database is away. Please type it again.",
        (
            "Ceci n’a *pas été enregistré* : Muster est occupé ou sa base est absente."
            " Veuillez le saisir à nouveau."
        ),
    ),
    "send_again": (
        "Not recorded: Muster is busy or its database is away. Please send the form again.",
        (
            "Pas enregistré : Muster est occupé ou sa base est absente. Veuillez renvoyer le"
            " formulaire."
        ),
    ),
    "form_late": (
        "The form could not be opened in time. Please try again.",
        "Le formulaire n’a pas pu s’ouvrir à temps. Veuillez réessayer.",
    ),
    "unknown_command": ("I do not know “{words}”.", "Je ne connais pas « {words} »."),
    "needs_number": (
        "Which campaign? Write for example `/campaign {verb} C-1042`.",
        "Quelle campagne ? Écrivez par exemple `/campaign {verb} C-1042`.",
    ),
    "no_campaign": ("There is no campaign {number} here.", "Il n’y a pas de campagne {number}."),
    "refused": ("{what}: refused. {reason}", "{what} : refusé. {reason}"),
    # Commands
    "asked": (
        "Asked: {what} of {campaign}. The answer comes here.",
        "Demandé : {what} de {campaign}. La réponse arrive ici.",
    ),
    "asked_workflow": (
        "Asked: {what} {name}. It shows once its service has done it.",
        "Demandé : {what} {name}. L’état change quand son service l’a fait.",
    ),
    "created": (
        "{campaign} is saved; its target is being counted.",
        "{campaign} est enregistrée ; sa cible est en cours de comptage.",
    ),
    "moved": ("{campaign}: {before} → {after}.", "{campaign} : {before} → {after}."),
    "moved_why": (
        "{campaign}: {before} → {after}: {reason}",
        "{campaign} : {before} → {after} : {reason}",
    ),
    "workflow_now": ("{name} is now {state}.", "{name} est maintenant {state}."),
    "help": (
        (
            "*What I understand*\n"
            "• `/campaign new` a new campaign\n"
            "• `/campaign list [mine] [state] [words]` campaigns and their states\n"
            "• `/campaign status C-1042` figures, progress, what it waits for, what can be done\n"
            "• `/campaign follow C-1042` the same in a message that keeps up\n"
            "• `/campaign test C-1042` make and send the proof\n"
            "• `/campaign launch C-1042` make an approved campaign due now\n"
            "• `/campaign pause C-1042 why` · `resume C-1042` · `retry C-1042`\n"
            "• `/campaign stop C-1042 why` says what a stop does, then asks\n"
            "• `/campaign start_now C-1042` · `drop C-1042` answer a missed start\n"
            "• `/campaign duplicate C-1042` a new campaign with the same choices\n"
            "• `/campaign channel C-1042 #channel` where its messages go\n"
            "• `/campaign link @somebody` makes a Slack account an operator’s\n"
            "• `/approvals [waiting | overdue]` what waits for an answer\n"
            "• `/budget [words]` · `/stock [words]` money and goods\n"
            "• `/events id | address | name` outside events and their statuses\n"
            "• `/workflows` the technical workflows"
        ),
        (
            "*Ce que je comprends*\n"
            "• `/campaign new` une nouvelle campagne\n"
            "• `/campaign list [miennes] [état] [mots]` les campagnes et leurs états\n"
            "• `/campaign status C-1042` chiffres, avancement, attente, actions possibles\n"
            "• `/campaign follow C-1042` la même chose dans un message qui se met à jour\n"
            "• `/campaign test C-1042` générer et envoyer le BAT\n"
            "• `/campaign launch C-1042` rendre exigible une campagne validée\n"
            "• `/campaign pause C-1042 motif` · `resume C-1042` · `retry C-1042`\n"
            "• `/campaign stop C-1042 motif` dit ce que fait l’arrêt, puis demande\n"
            "• `/campaign start_now C-1042` · `drop C-1042` répondre à un démarrage manqué\n"
            "• `/campaign duplicate C-1042` une nouvelle campagne avec les mêmes choix\n"
            "• `/campaign channel C-1042 #canal` où vont ses messages\n"
            "• `/campaign link @quelqu’un` lie un compte Slack à un opérateur\n"
            "• `/approvals [attente | retard]` ce qui attend une réponse\n"
            "• `/budget [mots]` · `/stock [mots]` l’argent et les articles\n"
            "• `/events id | adresse | nom` les événements externes et leurs états\n"
            "• `/workflows` les workflows techniques"
        ),
    ),
    # The proof card
    "approve": ("Approve", "Valider"),
    "request_changes": ("Request changes", "Demander des corrections"),
    "reject": ("Reject", "Refuser"),
    "card_proof": (
        "Proof {proof} to approve: {number} {label}",
        "BAT {proof} à valider : {number} {label}",
    ),
    "file": ("File", "Fichier"),
    "card_router_proof": (
        "Router's proof to approve: {number} {label}",
        "BAT du routeur à valider : {number} {label}",
    ),
    "card_file": (
        "Extraction file to approve: {number} {label}",
        "Fichier d'extraction à valider : {number} {label}",
    ),
    "card_target": ("Target to approve: {number} {label}", "Cible à valider : {number} {label}"),
    "card_external": (
        "External content to approve: {number} {label}",
        "Contenu externe à valider : {number} {label}",
    ),
    "card_start": ("Start to approve: {number} {label}", "Démarrage à valider : {number} {label}"),
    "asked_by": ("Asked by", "Demandé par"),
    "count": ("Recipients", "Destinataires"),
    "deadline": ("Deadline", "Échéance"),
    "content": ("Content", "Contenu"),
    "no_content": ("none (actions only)", "aucun (actions seules)"),
    "snapshot": ("Snapshot", "Population figée"),
    "doubles": ("Doubles", "Doublons"),
    "doubles_sent": (
        "contacts that share an address each get their message",
        "les contacts qui partagent une adresse reçoivent chacun leur message",
    ),
    "warnings": ("To look at in the message: {count}", "À vérifier dans le message : {count}"),
    "more_warnings": (
        "… and {count} more, on the proof’s page",
        "… et {count} de plus, sur la page du BAT",
    ),
    "cost": ("Cost", "Coût"),
    "cost_line": ("{amount}, of {left} left", "{amount}, sur {left} disponibles"),
    "cost_over": (
        "{amount}: more than the {left} left",
        "{amount} : plus que les {left} disponibles",
    ),
    "estimated_at": ("estimated on {at}", "estimé le {at}"),
    "stock_warning": ("Stock", "Stock"),
    "stock_needed": ("Stock needed", "Stock nécessaire"),
    "goods_of": (
        "{asked} of {label}, {free} free now",
        "{asked} de {label}, {free} libres à présent",
    ),
    "goods_of_unknown": ("{asked} of a line not known", "{asked} d’une ligne inconnue"),
    "subject": ("Subject", "Objet"),
    "picture_of": ("The message “{subject}”", "Le message « {subject} »"),
    "changed_since": ("Since what was approved on {at}", "Depuis ce qui a été validé le {at}"),
    "changed_subject": ("Subject: {old} → {new}", "Objet : {old} → {new}"),
    "changed_count": ("Recipients: {old} → {new}", "Destinataires : {old} → {new}"),
    "changed_cost": ("Cost: {old} → {new}", "Coût : {old} → {new}"),
    "changed_content": ("The content has changed", "Le contenu a changé"),
    "changed_target": ("The target was frozen anew", "La population a été figée à nouveau"),
    "changed_doubles": (
        "Who shares an address is treated otherwise",
        "Le traitement des doublons a changé",
    ),
    "changed_nothing": ("Nothing has changed", "Rien n’a changé"),
    "see_letter": ("See the letter (PDF)", "Voir le courrier (PDF)"),
    "see_proof": ("See the proof", "Voir le BAT"),
    "see_file": ("See the file", "Voir le fichier"),
    "reviewers_are": ("Reviewers: {names}", "Valideurs : {names}"),
    "anyone": ("anyone who may approve", "toute personne habilitée à valider"),
    "reason": ("Reason", "Motif"),
    "reason_missing": (
        "Please say why: the manager reads it.",
        "Veuillez dire pourquoi : le gestionnaire le lira.",
    ),
    "send": ("Send", "Envoyer"),
    "decided_line": ("*{outcome}* by {by}, {at}", "*{outcome}* par {by}, le {at}"),
    "expired_line": (
        "*Expired*: nobody answered before {at}.",
        "*Expiré* : personne n’a répondu avant le {at}.",
    ),
    "withdrawn_line": ("*Withdrawn* by {by}, {at}", "*Retiré* par {by}, le {at}"),
    "already": (
        "{what} was already decided: {outcome} by {by}, {at}.",
        "{what} : déjà décidé, {outcome} par {by}, le {at}.",
    ),
    "already_ended": ("{what}: {outcome}, {at}.", "{what} : {outcome}, le {at}."),
    "stale_card": (
        "{what} has changed since this card was shown. Please look at the newest one.",
        "{what} a changé depuis l’affichage de cette carte. Veuillez regarder la plus récente.",
    ),
    "sent_already": (
        "Your answer is recorded already; the card changes once it is decided.",
        "Votre réponse est déjà enregistrée ; la carte change dès que c’est décidé.",
    ),
    "answer_refused": (
        "{what}: your answer was not taken. {reason}",
        "{what} : votre réponse n’est pas retenue. {reason}",
    ),
    "code_not_reviewer": (
        "You are not among its reviewers.",
        "Vous ne faites pas partie de ses valideurs.",
    ),
    "code_self_approval": (
        "Who asks for an approval may not give it.",
        "Qui demande une validation ne peut pas la donner.",
    ),
    "code_stale_revision": (
        "It has changed since you saw it: please look at its newest card.",
        "Elle a changé depuis : veuillez regarder sa carte la plus récente.",
    ),
    "code_unknown_approval": (
        "This approval is not known any more.",
        "Cette validation n’est plus connue.",
    ),
    "code_reason_missing": (
        "A reason is needed: please press again and say why.",
        "Il faut un motif : veuillez réessayer et dire pourquoi.",
    ),
    "reminder": (
        "Reminder {n}: {what} still waits for an answer, {left} left (until {at}).",
        "Rappel {n} : {what} attend toujours une réponse, il reste {left} (jusqu’au {at}).",
    ),
    "who_else": ("Who else can answer: {names}.", "Qui d’autre peut répondre : {names}."),
    "days": ("{d} d {h} h", "{d} j {h} h"),
    "hours": ("{h} h {m} min", "{h} h {m} min"),
    "has_left": ("{name} (has left)", "{name} (n’est plus là)"),
    "nobody_left": (
        (
            "{what} waits for an answer until {at}, and none of its reviewers can give it: {names}."
            " An administrator can, or change its reviewers and ask again."
        ),
        (
            "{what} attend une réponse jusqu’au {at}, et aucun de ses valideurs ne peut la donner :"
            " {names}. Un administrateur le peut ; ou changez les valideurs et redemandez."
        ),
    ),
    "nobody": ("nobody else", "personne d’autre"),
    "the_product": ("Muster", "Muster"),
    # Verbs of commands
    "verb_proof": ("proof", "BAT"),
    "verb_launch": ("launch", "lancement"),
    "verb_pause": ("suspension", "suspension"),
    "verb_resume": ("resumption", "reprise"),
    "verb_stop": ("stop", "arrêt"),
    "verb_start_now": ("start", "démarrage"),
    "verb_drop": ("dropping", "abandon"),
    "verb_missed": ("answer to its missed start", "réponse à son démarrage manqué"),
    "verb_retry": ("new try", "nouvel essai"),
}

FRENCH: Final = "fr"


def in_language(language: str, pair: tuple[str, str]) -> str:
    """Return the English or the French of a pair."""
    return pair[1] if language == FRENCH else pair[0]


def say(language: str, key: str, **values: object) -> str:
    """Return a sentence in the language, filled in; English for languages we do not speak."""
    return in_language(language, _WORDS[key]).format(**values)


def all_keys() -> tuple[str, ...]:
    """Return every key, for the test that fills each in."""
    return tuple(_WORDS)
