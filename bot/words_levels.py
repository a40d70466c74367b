"""What is said of Message Center's service levels, in English and French."""

from __future__ import annotations

from typing import Final

LEVELS: Final[dict[str, tuple[str, str]]] = {
    "levels_title": ("Service levels of Message Center", "Niveaux de service de Message Center"),
    "levels_asked": (
        "The service levels come by direct message.",
        "Les niveaux de service arrivent par message direct.",
    ),
    "levels_none": (
        "Nothing is known of service levels yet, or your role does not show them.",
        "Rien n’est encore connu des niveaux de service, ou votre rôle ne les montre pas.",
    ),
    "levels_late": (
        ":warning: The live view does not keep up: these figures are old.",
        ":warning: La vue en direct est en retard : ces chiffres sont anciens.",
    ),
    "levels_as_of": ("last hour, as of {at}", "dernière heure, à {at}"),
    "levels_sum": (
        ("Last hour, as of {at}: {incoming} in, {outgoing} out, errors {rate}, {queued} queued"),
        (
            "Dernière heure, à {at} : {incoming} entrants, {outgoing} sortants, erreurs {rate},"
            " {queued} en file"
        ),
    ),
    "levels_in": ("Incoming", "Entrants"),
    "levels_out": ("Outgoing", "Sortants"),
    "levels_flow": ("{count} ({rate} per hour)", "{count} ({rate} par heure)"),
    "levels_errors": ("Errors", "Erreurs"),
    "levels_queue": ("Queued now (min / average / max)", "En file (min / moyenne / max)"),
    "levels_times": (
        "Queue / processing / sending time",
        "Temps en file / traitement / envoi",
    ),
    "levels_type": (
        "• *{type}* ({channel}): {incoming} in, {outgoing} out, errors {rate}, {queued} queued",
        (
            "• *{type}* ({channel}) : {incoming} entrants, {outgoing} sortants, erreurs {rate},"
            " {queued} en file"
        ),
    ),
    "levels_chart_flow": ("Throughput, events per hour", "Débit, événements par heure"),
    "levels_chart_queue": (
        "Queue, longest of each minute (now {queued})",
        "File, la plus longue de chaque minute (maintenant {queued})",
    ),
    "levels_chart_errors": ("Errors by minute ({rate})", "Erreurs par minute ({rate})"),
    "levels_other": ("other types", "autres types"),
    "levels_all_well": ("All thresholds are kept.", "Tous les seuils sont respectés."),
    "levels_standing": (
        "{name}{scope}: {value}, {grade} {side} {limit}",
        "{name}{scope} : {value}, {grade} {side} {limit}",
    ),
    "levels_side_over": ("from", "à partir de"),
    "levels_side_below": ("down from", "en dessous de"),
    "grade_normal": ("normal", "normal"),
    "grade_warning": ("warning", "avertissement"),
    "grade_alert": ("alert", "alerte"),
    "window_minute": ("last minute", "dernière minute"),
    "window_hour": ("last hour", "dernière heure"),
    "window_day": ("last 24 hours", "dernières 24 heures"),
    "level_crossed": (
        "*{grade}*: {name}{scope} is {value}, {side} {limit} ({window}), since {at}",
        "*{grade}* : {name}{scope} est à {value}, {side} {limit} ({window}), depuis {at}",
    ),
    "level_back": (
        "*Back to normal*: {name}{scope} is {value} ({window}), at {at}",
        "*Retour à la normale* : {name}{scope} est à {value} ({window}), à {at}",
    ),
    "level_was_over": (
        "Over since {at}: {name}{scope} (it was: {grade}).",
        "Terminé depuis {at} : {name}{scope} (c’était : {grade}).",
    ),
    "level_nothing": ("without events to judge by", "sans événements pour en juger"),
    "indicator_incoming_throughput": ("incoming throughput", "débit entrant"),
    "indicator_outgoing_throughput": ("outgoing throughput", "débit sortant"),
    "indicator_queue_time": ("average queue time", "temps moyen en file"),
    "indicator_processing_time": ("average processing time", "temps moyen de traitement"),
    "indicator_sending_time": ("average sending time", "temps moyen d’envoi"),
    "indicator_error_rate": ("error rate", "taux d’erreur"),
    "indicator_queued": ("queue", "file d’attente"),
    "indicator_queued_min": ("shortest queue", "file la plus courte"),
    "indicator_queued_avg": ("average queue", "file moyenne"),
    "indicator_queued_max": ("longest queue", "file la plus longue"),
    "indicator_oldest_wait": ("wait of the oldest event", "attente du plus ancien événement"),
    "seconds": ("{n} s", "{n} s"),
    "minutes": ("{n} min", "{n} min"),
    "per_hour": ("{n} per hour", "{n} par heure"),
}
