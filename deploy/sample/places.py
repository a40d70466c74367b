"""Towns with the postal codes that are theirs, streets, and telephone numbers kept for fiction."""

from dataclasses import dataclass
from random import Random
from typing import Final

_POSTCODE_LETTERS: Final = "ABDEFGHJLNPQRSTUWXYZ"
_EIRCODE_CHARACTERS: Final = "ACDEFHKNPRTVWXY0123456789"


@dataclass(frozen=True, slots=True)
class Town:
    """A town: what its postal codes start with, and the fictional range of its telephones.

    ``postal`` holds whole codes in France, outward codes in Great Britain, routing keys in Ireland
    and forward sortation areas in Canada.
    """

    name: str
    country: str
    language: str
    postal: tuple[str, ...]
    dialling: str


def _arrondissements(department: str, count: int) -> tuple[str, ...]:
    return tuple(f"{department}0{n:02d}" for n in range(1, count + 1))


TOWNS: Final = (
    Town("Paris", "FR", "fr", _arrondissements("75", 20), "1 99 00"),
    Town("Lyon", "FR", "fr", _arrondissements("69", 9), "4 65 71"),
    Town("Marseille", "FR", "fr", _arrondissements("13", 16), "4 65 71"),
    Town("Toulouse", "FR", "fr", ("31000", "31100", "31200", "31300", "31400", "31500"), "5 36 49"),
    Town("Bordeaux", "FR", "fr", ("33000", "33100", "33200", "33300", "33800"), "5 36 49"),
    Town("Nantes", "FR", "fr", ("44000", "44100", "44200", "44300"), "2 61 91"),
    Town("Rennes", "FR", "fr", ("35000", "35200", "35700"), "2 61 91"),
    Town("Lille", "FR", "fr", ("59000", "59800"), "3 53 01"),
    Town("Strasbourg", "FR", "fr", ("67000", "67100", "67200"), "3 53 01"),
    Town("Grenoble", "FR", "fr", ("38000", "38100"), "4 65 71"),
    Town("Saint-Étienne", "FR", "fr", ("42000", "42100"), "4 65 71"),
    Town("Besançon", "FR", "fr", ("25000",), "3 53 01"),
    Town("Orléans", "FR", "fr", ("45000", "45100"), "2 61 91"),
    Town("Nîmes", "FR", "fr", ("30000", "30900"), "4 65 71"),
    Town("Béziers", "FR", "fr", ("34500",), "4 65 71"),
    Town("Angoulême", "FR", "fr", ("16000",), "5 36 49"),
    Town("Châteauroux", "FR", "fr", ("36000",), "2 61 91"),
    Town("Évreux", "FR", "fr", ("27000",), "2 61 91"),
    Town("Montréal", "CA", "fr", ("H2X", "H3A", "H3B", "H2Y"), "514 555"),
    Town("Québec", "CA", "fr", ("G1K", "G1R", "G1S"), "418 555"),
    Town("Toronto", "CA", "en", ("M5V", "M5H", "M4W"), "416 555"),
    Town("London", "GB", "en", ("EC1A", "EC2V", "SE1", "N1", "E14", "SW1P"), "20 7946 0"),
    Town("Manchester", "GB", "en", ("M1", "M2", "M3", "M4"), "161 496 0"),
    Town("Birmingham", "GB", "en", ("B1", "B2", "B3"), "121 496 0"),
    Town("Leeds", "GB", "en", ("LS1", "LS2", "LS9"), "113 496 0"),
    Town("Sheffield", "GB", "en", ("S1", "S2", "S3"), "114 496 0"),
    Town("Nottingham", "GB", "en", ("NG1", "NG2"), "115 496 0"),
    Town("Leicester", "GB", "en", ("LE1", "LE2"), "116 496 0"),
    Town("Bristol", "GB", "en", ("BS1", "BS2", "BS8"), "117 496 0"),
    Town("Reading", "GB", "en", ("RG1", "RG2"), "118 496 0"),
    Town("Edinburgh", "GB", "en", ("EH1", "EH2", "EH3"), "131 496 0"),
    Town("Glasgow", "GB", "en", ("G1", "G2", "G3"), "141 496 0"),
    Town("Liverpool", "GB", "en", ("L1", "L2", "L3"), "151 496 0"),
    Town("Newcastle upon Tyne", "GB", "en", ("NE1", "NE2"), "191 498 0"),
    Town("Cardiff", "GB", "en", ("CF10", "CF11"), "29 2018 0"),
    Town("Dublin", "IE", "en", ("D02", "D04", "D08"), "20 91"),
    Town("Cork", "IE", "en", ("T12", "T23"), "20 91"),
    Town("Galway", "IE", "en", ("H91",), "20 91"),
)  # fmt: skip

_STREETS: Final = {
    "fr": (
        "rue de la République", "avenue Jean-Jaurès", "rue du Général-Leclerc", "place de l'Église",
        "boulevard Gambetta", "rue Pasteur", "rue des Écoles", "chemin des Prés",
        "quai de la Fosse",
        "impasse des Tilleuls", "rue de l'Hôtel-de-Ville", "allée des Érables", "rue du Marché",
        "rue Saint-Honoré", "avenue de la Gare", "route de l'Océan", "rue de la Forêt",
        "cours Émile-Zola", "rue du Château", "rue de la Fonderie",
    ),
    "en": (
        "High Street", "Castle Street", "Victoria Road", "King Street", "Station Road", "Mill Lane",
        "Church Road", "Queen Street", "Albert Road", "Bridge Street", "Park Avenue",
        "The Crescent",
        "Market Place", "Wharf Road", "St John's Road", "Foundry Lane", "George Street",
        "Harbour View", "Chapel Street", "Industrial Way",
    ),
}  # fmt: skip


def street(random: Random, town: Town) -> str:
    """Return a house number and street, written as the town's language does."""
    name = random.choice(_STREETS[town.language])
    number = random.randint(1, 180)
    if town.country == "CA" and town.language == "fr":
        return f"{number * 10}, {name}"
    bis = " bis" if town.country == "FR" and random.random() < 0.06 else ""
    return f"{number}{bis} {name}"


def postal_code(random: Random, town: Town) -> str:
    """Return a postal code of the town, in its country's format."""
    start = random.choice(town.postal)
    if town.country == "FR":
        return start
    if town.country == "IE":
        return f"{start} {''.join(random.choices(_EIRCODE_CHARACTERS, k=4))}"
    one, two = random.choices(_POSTCODE_LETTERS, k=2)
    if town.country == "GB":
        return f"{start} {random.randint(0, 9)}{one}{two}"
    return f"{start} {random.randint(0, 9)}{one}{random.randint(0, 9)}"


def landline(random: Random, town: Town) -> str:
    """Return a landline number of the town; one in five is written the national way."""
    national = random.random() < 0.2
    if town.country == "FR":
        number = f"{town.dialling} {random.randint(0, 99):02d} {random.randint(0, 99):02d}"
        return f"0{number}" if national else f"+33 {number}"
    if town.country == "CA":
        number = f"{town.dialling}-01{random.randint(0, 99):02d}"
        return number.replace(" ", "-") if national else f"+1 {number}"
    if town.country == "IE":
        number = f"{town.dialling}{random.randint(0, 9)} {random.randint(0, 9999):04d}"
        return f"0{number}" if national else f"+353 {number}"
    number = f"{town.dialling}{random.randint(0, 999):03d}"
    return f"0{number}" if national else f"+44 {number}"


def mobile(random: Random, town: Town) -> str:
    """Return a mobile number, or an empty text where the country keeps no range for fiction."""
    if town.country == "FR":
        pairs = " ".join(f"{random.randint(0, 99):02d}" for _ in range(2))
        return f"06 39 98 {pairs}" if random.random() < 0.2 else f"+33 6 39 98 {pairs}"
    if town.country == "GB":
        return f"+44 7700 900{random.randint(0, 999):03d}"
    return ""
