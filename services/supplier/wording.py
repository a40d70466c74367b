"""What the mail to a router says, in the service's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Notice:
    """What a router is told about a file."""

    supplier: str
    service: str
    number: int
    campaign: str
    file_name: str
    rows: int
    sha256: str
    pages: int = 0
    letters_attached: bool = False


_SUBJECT: Final = {
    "en": "Campaign C-{number}: file {file_name} ({rows} addressees)",
    "fr": "Campagne C-{number} : fichier {file_name} ({rows} destinataires)",
}
_BODY: Final = {
    "en": """Hello,

please find attached the extraction file of campaign C-{number} "{campaign}"
for your service "{service}".

File: {file_name}
Addressees: {rows}
SHA-256: {sha256}
{letters}
Compare the number of lines (without the line of titles) and the SHA-256 before you print. The file
holds personal data: use it for this mailing only, and delete it afterwards.

Muster, for {supplier}
""",
    "fr": """Bonjour,

vous trouverez ci-joint le fichier d'extraction de la campagne C-{number} « {campaign} »
pour votre service « {service} ».

Fichier : {file_name}
Destinataires : {rows}
SHA-256 : {sha256}
{letters}
Comparez le nombre de lignes (sans la ligne de titres) et le SHA-256 avant d'imprimer. Le fichier
contient des données personnelles : utilisez-le pour ce seul envoi, puis supprimez-le.

Muster, pour {supplier}
""",
}

_LETTERS: Final = {
    "en": "\nThe letters are ready to print: {pages} pages in PDF files, {where}.\n"
    "letters.csv says in which file, at which place and on which pages each letter stands.\n",
    "fr": "\nLes lettres sont prêtes à imprimer : {pages} pages en fichiers PDF, {where}.\n"
    "letters.csv indique le fichier, la place et les pages de chaque lettre.\n",
}
_WHERE: Final = {
    ("en", True): "attached",
    ("en", False): "too big for a mail: ask us for them",
    ("fr", True): "ci-joints",
    ("fr", False): "trop volumineux pour un courriel : demandez-les-nous",
}


def subject(notice: Notice, language: str) -> str:
    """Return the subject, on one line."""
    return _one_line(_SUBJECT[language].format_map(_fields(notice)))


def body(notice: Notice, language: str) -> str:
    """Return the text."""
    letters = ""
    if notice.pages:
        where = _WHERE[language, notice.letters_attached]
        letters = _LETTERS[language].format(pages=notice.pages, where=where)
    return _BODY[language].format_map(_fields(notice) | {"letters": letters})


def _fields(notice: Notice) -> dict[str, object]:
    return {name: getattr(notice, name) for name in Notice.__slots__} | {
        "campaign": _one_line(notice.campaign),
        "service": _one_line(notice.service),
        "supplier": _one_line(notice.supplier),
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())
