"""What is said of outside events, in English and French."""

from __future__ import annotations

from typing import Final

EVENTS: Final[dict[str, tuple[str, str]]] = {
    "events_title": ("Outside events", "Événements externes"),
    "events_help": (
        (
            "`/events` and an event’s id, an e-mail address, a phone number (+33…), or the sender’s"
            " own name of the event;"
            " `/events levels` for the service levels"
        ),
        (
            "`/events` et l’id d’un événement, une adresse e-mail, un numéro de téléphone (+33…),"
            " ou le nom que lui donne l’émetteur ; `/events niveaux` pour les niveaux de service"
        ),
    ),
    "events_asked": ("Looking for it…", "Recherche en cours…"),
    "events_none": ("No event is found by that.", "Aucun événement ne correspond."),
    "events_more": (
        "These are the latest {count}; there are more.",
        "Voici les {count} derniers ; il y en a d’autres.",
    ),
    "events_line": (
        "*{type}* {status}, {queue}, received {at}\n`{id}`",
        "*{type}* {status}, {queue}, reçu le {at}\n`{id}`",
    ),
    "events_external": ("named {name} by its sender", "nommé {name} par son émetteur"),
    "events_archived": (
        "it was purged: this is what the archive has",
        "il a été purgé : voici ce qu’en garde l’archive",
    ),
    "events_tries": (
        "Failed tries: {count}; the next one is {at}",
        "Essais échoués : {count} ; prochain essai {at}",
    ),
    "channel_email": ("e-mail", "e-mail"),
    "channel_sms": ("SMS", "SMS"),
    "channel_webhook": ("webhook", "webhook"),
    "event_pending": ("Pending", "En attente"),
    "event_pending_delivery": ("Pending delivery", "En attente de diffusion"),
    "event_sent": ("Sent", "Envoyé"),
    "event_ignored": ("Ignored by the delivery", "Ignoré par la diffusion"),
    "event_delivery_error": ("Delivery error", "Erreur de diffusion"),
    "event_not_covered": ("Event not covered", "Événement non pris en charge"),
    "event_expired": ("Expired", "Expiré"),
    "event_paused": ("Paused", "En pause"),
    "queue_realtime": ("real-time queue", "file temps réel"),
    "queue_batch": ("batch queue", "file batch"),
    "event_do_pause": ("Hold back", "Retenir"),
    "event_do_resume": ("Let go on", "Laisser partir"),
    "event_do_resend": ("Send again", "Renvoyer"),
    "event_do_recycle": ("Recycle", "Recycler"),
    "event_do_recycle_to": ("Recycle to {channel}", "Recycler par {channel}"),
    "event_recycle_question": (
        "A new event goes to the same person on the other channel.",
        "Un nouvel événement part à la même personne par l’autre canal.",
    ),
    "event_done_recycle": (
        "It is recycled as another event: `{id}`.",
        "Il est recyclé comme un autre événement : `{id}`.",
    ),
    "event_done_pause": ("The event `{id}` is held back.", "L’événement `{id}` est retenu."),
    "event_done_resume": ("The event `{id}` goes on.", "L’événement `{id}` repart."),
    "event_done_resend": (
        "It is sent again as another event: `{id}`.",
        "Il est renvoyé comme un autre événement : `{id}`.",
    ),
    "event_resend_question": (
        "The message goes to the same address once more.",
        "Le message part une fois de plus à la même adresse.",
    ),
}
