"""What is said of an open approval that is put off, delegated or escalated."""

from __future__ import annotations

from typing import Final

COURSE: Final[dict[str, tuple[str, str]]] = {
    "snooze": ("Remind me later", "Me le rappeler plus tard"),
    "snooze_1": ("In 1 hour", "Dans 1 heure"),
    "snooze_4": ("In 4 hours", "Dans 4 heures"),
    "snooze_24": ("In 24 hours", "Dans 24 heures"),
    "snoozed": (
        "You get no reminder of {what} before {at}.",
        "Vous n’aurez pas de rappel pour {what} avant le {at}.",
    ),
    "code_snooze_time": (
        "Choose a time before its deadline.",
        "Choisissez un moment avant son échéance.",
    ),
    "delegate": ("Delegate", "Déléguer"),
    "delegate_title": ("Delegate an approval", "Déléguer la validation"),
    "delegate_to": ("To whom", "À qui"),
    "delegate_stranger": (
        "This person is not linked to a Muster operator; choose another one.",
        "Cette personne n’est liée à aucun opérateur Muster ; choisissez-en une autre.",
    ),
    "code_cannot_approve": (
        "This person may not approve; choose another one.",
        "Cette personne ne peut pas valider ; choisissez-en une autre.",
    ),
    "comment": ("Comment", "Commentaire"),
    "delegated": (
        "{by} hands the approval of {what} on to {to}, until {at}.",
        "{by} délègue la validation de {what} à {to}, jusqu’au {at}.",
    ),
    "escalated": (
        "Nobody has answered {what}: {names} are asked too, until {at}.",
        "Personne n’a répondu pour {what} : {names} sont sollicités aussi, jusqu’au {at}.",
    ),
    "escalated_nobody": (
        "Nobody has answered {what}; it stays open until {at}.",
        "Personne n’a répondu pour {what} ; la validation reste ouverte jusqu’au {at}.",
    ),
}
