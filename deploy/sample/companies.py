"""Company names: unique for any number of companies, with the domain that goes with each."""

from typing import Final

from deploy.sample.names import LAST_NAMES
from deploy.sample.text import slug

TRADES: Final = {
    "fr": (
        "Atelier", "Menuiserie", "Imprimerie", "Boulangerie", "Électricité", "Chaudronnerie",
        "Mécanique", "Transports", "Établissements", "Cabinet", "Pharmacie", "Hôtel", "Librairie",
        "Fonderie", "Câblerie", "Pépinières", "Garage", "Maçonnerie", "Société nouvelle", "Groupe",
        "Laboratoire", "Verrerie", "Tôlerie", "Conserverie", "Biscuiterie", "Clinique", "École",
        "Coopérative", "Brûlerie", "Château",
    ),
    "en": (
        "Engineering", "Joinery", "Printworks", "Bakery", "Electrical", "Fabrications", "Haulage",
        "Logistics", "Partners", "Associates", "Pharmacy", "Hotels", "Books", "Foundry", "Cables",
        "Nurseries", "Motors", "Masonry", "Holdings", "Group", "Laboratories", "Glassworks",
        "Sheet Metal", "Preserves", "Biscuits", "Clinics", "School", "Cooperative", "Roasters",
        "Estates",
    ),
}  # fmt: skip
# Coprime to both tables' sizes, so that neighbours differ in trade and name and none comes twice.
_STRIDE: Final = 1_117


def company(index: int, language: str) -> tuple[str, str]:
    """Return the name and the e-mail domain of company ``index``; no two indexes share either.

    Past the last combination the names start again with a number behind them.
    """
    trades, families = TRADES[language], LAST_NAMES[language]
    lap, place = divmod(index, len(trades) * len(families))
    pick = place * _STRIDE % (len(trades) * len(families))
    trade, family = trades[pick % len(trades)], families[pick // len(trades)]
    name = f"{trade} {family}" if language == "fr" else f"{family} {trade}"
    if lap:
        name = f"{name} {lap + 1}"
    return name, f"{slug(name)}.example"
