"""French for what is said of outside events: why one waits, failed, or cannot be controlled."""

from __future__ import annotations

from typing import Final

EVENTS: Final[dict[str, str]] = {
    "there is no such event": "Cet événement n’existe pas.",
    "its address was erased": "Son adresse a été effacée.",
    "its expiration is over": "Sa date d’expiration est passée.",
    "the address was erased": "L’adresse a été effacée.",
    "it was to be sent before its expiration only": (
        "Il ne devait partir qu’avant son expiration."
    ),
    "it waited longer than events are kept": (
        "Il a attendu plus longtemps que la durée de conservation."
    ),
    "it waited longer in its queue than events may": (
        "Il a attendu dans sa file plus longtemps que permis."
    ),
    "no template is published for this event type and channel": (
        "Aucun modèle n’est publié pour ce type d’événement et ce canal."
    ),
    "say which channel it is recycled to": "Dites par quel canal le recycler.",
    "is neither {}": "Ce canal n’est pas possible (ni {0}).",
    "an event that is {} is not recycled": "Un événement « {0} » n’est pas recyclé.",
    "an event that is {} is not sent again": "Un événement « {0} » n’est pas renvoyé.",
    "it was tried by {} already": "Il a déjà été tenté par {0}.",
    "it has no address for {}": "Il n’a pas d’adresse pour {0}.",
    "recycled to {} from {} by {}": "Recyclé par {0} depuis {1}, par {2}.",
    "{}; given up after {} tries": "{0} ; abandonné après {1} essais.",
    "EVENTS_ENRICHMENT_URL names no enrichment service": (
        "EVENTS_ENRICHMENT_URL n’indique aucun service d’enrichissement."
    ),
    "the enrichment service did not answer within {} s": (
        "Le service d’enrichissement n’a pas répondu en {0} s."
    ),
    "the enrichment service cannot be reached ({})": (
        "Le service d’enrichissement est injoignable ({0})."
    ),
    "the enrichment service answered {}": "Le service d’enrichissement a répondu {0}.",
    "the enrichment service refused: {}": "Le service d’enrichissement a refusé : {0}",
    "the enriched ctx {}": "Le ctx enrichi n’est pas acceptable ({0}).",
}
