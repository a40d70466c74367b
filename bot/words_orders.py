"""What orders to a campaign and its dates say, in English and French."""

from __future__ import annotations

from typing import Final

ORDERS: Final[dict[str, tuple[str, str]]] = {
    # Orders to a campaign
    "do_proof": ("Test: send the proof", "Tester : envoyer le BAT"),
    "do_launch": ("Launch", "Lancer"),
    "do_pause": ("Pause", "Mettre en pause"),
    "do_resume": ("Resume", "Reprendre"),
    "do_retry": ("Try again", "Réessayer"),
    "do_follow": ("Follow", "Suivre"),
    "do_unfollow": ("Stop following", "Ne plus suivre"),
    "do_duplicate": ("Duplicate", "Dupliquer"),
    "do_stop": ("Stop…", "Arrêter…"),
    "do_skip": ("Skip this date…", "Sauter cette date…"),
    "do_start_now": ("Start now", "Démarrer maintenant"),
    "do_drop": ("Drop it", "L’abandonner"),
    "ask_start_now": (
        "It starts as soon as it is approved.",
        "Elle démarre dès qu’elle est validée.",
    ),
    "ask_drop": (
        "It is cancelled; nothing is sent.",
        "Elle est annulée ; rien n’est envoyé.",
    ),
    "late_order": (
        "{campaign} is {state} by now: this no longer applies ({what}).",
        "{campaign} est maintenant « {state} » : ce n’est plus possible ({what}).",
    ),
    # Dates of campaigns that come back
    "date_made": ("{campaign} is for {at}.", "{campaign} est prévue le {at}."),
    "to_be_approved": ("To be approved", "À valider"),
    "to_be_started": ("Approved, to be started", "Validée, à démarrer"),
    "starts_itself": ("Approved, starts by itself", "Validée, démarre seule"),
    "start_missed": (
        "{campaign} was to start on {at} and was not started. Shall it still?",
        "{campaign} devait démarrer le {at} et ne l’a pas été. Le doit-elle encore ?",
    ),
    "missed_started": (
        "{campaign} missed its start; it was decided that it starts.",
        "{campaign} a manqué son démarrage ; il a été décidé qu’elle démarre.",
    ),
    "missed_dropped": (
        "{campaign} missed its start and was dropped.",
        "{campaign} a manqué son démarrage et a été abandonnée.",
    ),
    "launch_title": ("Launch {number}?", "Lancer {number} ?"),
    "launch_question": (
        "{count} people, from {at} on or at once when that has passed.",
        "{count} personnes, à partir du {at}, ou tout de suite si c’est passé.",
    ),
    "launch_cost": ("Cost: {cost}.", "Coût : {cost}."),
    "stop_cost": (
        "It was to cost {amount}, of which about {spent} is used.",
        "Elle devait coûter {amount}, dont environ {spent} ont servi.",
    ),
    "stop_title": ("Stop {number}", "Arrêter {number}"),
    "stop_it": ("Stop it", "Arrêter"),
    "stop_intro": (
        "{campaign} ends for good: it cannot be resumed.",
        "{campaign} se termine définitivement : elle ne peut pas être reprise.",
    ),
    "stop_messages": (
        (
            "{sent} messages have left; {flight} in flight may still leave; {left} will not leave"
            " any more."
        ),
        (
            "{sent} messages sont partis ; {flight} en cours de remise peuvent encore partir ;"
            " {left} ne partiront plus."
        ),
    ),
    "pause_messages": (
        "{left} messages are held back; {flight} in flight may still leave; {sent} have left.",
        (
            "{left} messages sont retenus ; {flight} en cours de remise peuvent encore partir ;"
            " {sent} sont partis."
        ),
    ),
    "stop_no_messages": (
        "No message was to be sent by it.",
        "Elle n’avait aucun message à envoyer.",
    ),
    "stop_before_start": (
        "Nothing has left yet; an approval that was asked or given ends.",
        "Rien n’est encore parti ; une validation demandée ou donnée prend fin.",
    ),
    "stop_actions": (
        "{count} actions that are not done yet are cancelled.",
        "{count} actions non encore faites sont annulées.",
    ),
    "stop_holds": (
        "What is held of its budget and stock and was not used goes back.",
        "Ce qui est réservé sur son budget et son stock et n’a pas servi est rendu.",
    ),
    "ended_already": ("{campaign} has ended already.", "{campaign} est déjà terminée."),
    "copy_of": ("{label} (copy)", "{label} (copie)"),
    "follows": (
        "You follow {campaign}: its message among your direct messages keeps up.",
        "Vous suivez {campaign} : son message, dans vos messages directs, se met à jour.",
    ),
    "follows_already": (
        "You follow {campaign} already, by a message among your direct messages.",
        "Vous suivez déjà {campaign}, par un message dans vos messages directs.",
    ),
    "follows_not": ("You no longer follow {campaign}.", "Vous ne suivez plus {campaign}."),
}
