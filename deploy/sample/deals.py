"""What a deal can be about, and the figures that fit its status."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

FIRST_SIGNATURE: Final = date(2026, 1, 5)
_SIGNATURE_DAYS: Final = 540


@dataclass(frozen=True, slots=True)
class Offer:
    """A product of a business line, with the usual size of its deals in minor units."""

    business_line: str
    product: str
    usual_minor: int
    margin_percent: tuple[int, int]


OFFERS: Final = (
    Offer("Energy", "Solar roof", 4_800_000, (18, 32)),
    Offer("Energy", "Heat pump", 2_200_000, (15, 28)),
    Offer("Energy", "Energy audit", 350_000, (35, 60)),
    Offer("Maintenance", "Preventive contract", 1_200_000, (22, 40)),
    Offer("Maintenance", "24-hour call-out", 780_000, (20, 38)),
    Offer("Printing", "Catalogue run", 640_000, (12, 25)),
    Offer("Printing", "Signage", 290_000, (25, 45)),
    Offer("Software", "Fleet licence", 1_500_000, (55, 80)),
    Offer("Software", "Support package", 420_000, (50, 70)),
    Offer("Training", "Safety course", 180_000, (30, 55)),
)
MARKETS: Final = ("Industry", "Construction", "Retail", "Health", "Public sector", "Hospitality")

# Status -> (share of all deals in percent, lowest and highest sale probability in percent).
STATUSES: Final = {
    "identified": (24, (5, 25)),
    "qualified": (22, (20, 45)),
    "offer_sent": (20, (40, 65)),
    "negotiation": (14, (60, 90)),
    "won": (11, (100, 100)),
    "lost": (7, (0, 0)),
    "cancelled": (2, (0, 0)),
}
CURRENCIES: Final = {"FR": "EUR", "IE": "EUR", "GB": "GBP", "CA": "CAD"}

COMMENTS: Final = {
    "fr": (
        "À rappeler après les congés d'été.", "Budget validé, en attente de signature.",
        "Demande un échéancier sur trois ans.",
        "Concurrent déjà consulté, décision fin de trimestre.",
        "Visite du site prévue, accès par le quai n° 2.", "Intéressé par l'offre « tout compris ».",
    ),
    "en": (
        "Call back after the summer break.", "Budget agreed, signature pending.",
        "Wants to pay over three years.", "A competitor has quoted, decision at quarter end.",
        "Site visit planned, access by dock 2.", 'Asked about the "all in" offer.',
    ),
}  # fmt: skip


def pick_status(random: Random) -> str:
    """Return a status, drawn by its share."""
    shares = [share for share, _ in STATUSES.values()]
    return random.choices(tuple(STATUSES), weights=shares)[0]


def pick_probability(random: Random, status: str) -> int:
    """Return a sale probability in percent that fits the status, in steps of five."""
    lowest, highest = STATUSES[status][1]
    return random.randrange(lowest, highest + 1, 5)


def pick_amounts(random: Random, offer: Offer) -> tuple[int, int]:
    """Return revenue and margin in minor units; the margin never exceeds the revenue."""
    revenue = offer.usual_minor * random.randint(40, 260) // 100_000 * 1_000
    return revenue, revenue * random.randint(*offer.margin_percent) // 100


def pick_signature(random: Random) -> date:
    """Return the day on which the deal is expected to be signed."""
    return FIRST_SIGNATURE + timedelta(days=random.randrange(_SIGNATURE_DAYS))


def pick_comment(random: Random, language: str) -> str:
    """Return a comment in the language, empty for most deals."""
    return random.choice(COMMENTS[language]) if random.random() < 0.35 else ""
