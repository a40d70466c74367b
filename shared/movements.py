"""What the movements of ledgers are called on screen, in English and in French."""

from __future__ import annotations

from typing import Final

LABELS: Final[dict[str, tuple[str, str]]] = {
    # Money
    "allocate": ("allocated", "alloué"),
    "plan": ("planned", "planifié"),
    "reserve": ("reserved", "réservé"),
    "release": ("given back", "rendu"),
    "commit": ("committed", "engagé"),
    "spend": ("spent", "dépensé"),
    "invoice": ("invoiced", "facturé"),
    "correct": ("corrected", "corrigé"),
    # Goods
    "initial": ("initial stock", "stock initial"),
    "receive": ("order received", "commande reçue"),
    "draw": ("taken from its reservation", "pris sur sa réservation"),
    "consume": ("used", "consommé"),
}


def label(kind: str) -> str:
    """Return what a movement is called in English."""
    return LABELS[kind][0]


def label_fr(kind: str) -> str:
    """Return what a movement is called in French."""
    return LABELS[kind][1]
