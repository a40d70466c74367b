"""What the mail to a router says, in the service's language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Proof(StrEnum):
    """What a mail says of the router's proof: nothing, that it is awaited, that it is approved."""

    NONE = "none"
    AWAITED = "awaited"
    APPROVED = "approved"


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
    file_attached: bool = True
    link: str = ""
    until: str = ""
    place: str = ""
    proof: Proof = Proof.NONE


_SUBJECT: Final = {
    "en": "Campaign C-{number}: file {file_name} ({rows} addressees)",
    "fr": "Campagne C-{number} : fichier {file_name} ({rows} destinataires)",
}
_BODY: Final = {
    "en": """Hello,

{here} the extraction file of campaign C-{number} "{campaign}"
for your service "{service}".
{link}
File: {file_name}
Addressees: {rows}
SHA-256: {sha256}
{letters}
Compare the number of rows (without the line of titles) and the SHA-256 before you print: they also
stand in the manifest, the attached file that ends in .manifest.json.
The file holds personal data: use it for this mailing only, and delete it afterwards.

Muster, for {supplier}
""",
    "fr": """Bonjour,

{here} le fichier d'extraction de la campagne C-{number} « {campaign} »
pour votre service « {service} ».
{link}
Fichier : {file_name}
Destinataires : {rows}
SHA-256 : {sha256}
{letters}
Comparez le nombre de lignes (sans la ligne de titres) et le SHA-256 avant d'imprimer : ils figurent
aussi dans le manifeste joint, qui se termine par .manifest.json.
Le fichier contient des données personnelles : utilisez-le pour ce seul envoi, puis supprimez-le.

Muster, pour {supplier}
""",
}

_PRINT_SUBJECT: Final = {
    "en": "Campaign C-{number}: please print {file_name} ({rows} addressees)",
    "fr": "Campagne C-{number} : bon à tirer pour {file_name} ({rows} destinataires)",
}
_PRINT: Final = {
    "en": """Hello,

your proof of file {file_name}, campaign C-{number} "{campaign}", was approved:
please print and post it.

Addressees: {rows}
SHA-256: {sha256}

Muster, for {supplier}
""",
    "fr": """Bonjour,

votre BAT du fichier {file_name}, campagne C-{number} « {campaign} », est validé :
vous pouvez imprimer et poster.

Destinataires : {rows}
SHA-256 : {sha256}

Muster, pour {supplier}
""",
}
_AWAITED: Final = {
    "en": "\nPlease send us a proof first: you may print once we tell you that it is approved.\n",
    "fr": "\nMerci de nous envoyer d'abord un BAT : imprimez quand nous l'aurons validé.\n",
}
_LETTERS: Final = {
    "en": "\nThe letters are ready to print: {pages} pages in PDF files, {where}.\n"
    "letters.csv says in which file, at which place and on which pages each letter stands.\n",
    "fr": "\nLes lettres sont prêtes à imprimer : {pages} pages en fichiers PDF, {where}.\n"
    "letters.csv indique le fichier, la place et les pages de chaque lettre.\n",
}
_WHERE: Final = {
    ("en", True): "attached",
    ("en", False): "behind the link above",
    ("fr", True): "ci-joints",
    ("fr", False): "derrière le lien ci-dessus",
}
_BESIDE: Final = {"en": "beside the file", "fr": "à côté du fichier"}
_HERE: Final = {
    ("en", True): "please find attached",
    ("en", False): "please fetch, behind the link below,",
    ("fr", True): "vous trouverez ci-joint",
    ("fr", False): "vous trouverez derrière le lien ci-dessous",
}
_PLACE: Final = {
    "en": "please take, from {place},",
    "fr": "vous trouverez dans {place}",
}
_LINK: Final = {
    "en": "\n{link}\nThe link ends on {until} (UTC). Whoever has it can fetch the files.\n",
    "fr": "\n{link}\nLe lien expire le {until} (UTC). Qui le détient peut lire les fichiers.\n",
}


def subject(notice: Notice, language: str) -> str:
    """Return the subject, on one line."""
    subjects = _PRINT_SUBJECT if notice.proof is Proof.APPROVED else _SUBJECT
    return _one_line(subjects[language].format_map(_fields(notice)))


def body(notice: Notice, language: str) -> str:
    """Return the text."""
    if notice.proof is Proof.APPROVED:
        return _PRINT[language].format_map(_fields(notice))
    letters = ""
    if notice.pages:
        where = _WHERE[language, notice.letters_attached]
        where = _BESIDE[language] if notice.place else where
        letters = _LETTERS[language].format(pages=notice.pages, where=where)
    link = _LINK[language].format(link=notice.link, until=notice.until) if notice.link else ""
    here = _HERE[language, notice.file_attached]
    if notice.place:
        here = _PLACE[language].format(place=_one_line(notice.place))
    if notice.proof is Proof.AWAITED:
        letters += _AWAITED[language]
    parts = {"letters": letters, "link": link, "here": here}
    return _BODY[language].format_map(_fields(notice) | parts)


def _fields(notice: Notice) -> dict[str, object]:
    return {name: getattr(notice, name) for name in Notice.__slots__} | {
        "campaign": _one_line(notice.campaign),
        "service": _one_line(notice.service),
        "supplier": _one_line(notice.supplier),
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())
