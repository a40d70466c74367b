"""What is checked in a message when its proof is rendered: warnings, which never block.

A reviewer decides; what cannot work at all (an unknown field, a broken template) was refused when
the template was saved, or fails the proof. Sentences quote what the author wrote and nothing else:
a link that holds a recipient's data is named by its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from services.delivery.domain.markup import Markup, read
from services.delivery.domain.urls import NotWeb, web_target
from topics.content import ContentWarning

MOST_SUBJECT: Final = 70
"""Characters of a subject that mail programs show on a wide screen."""
CLIPPED_AT: Final = 102 * 1024
"""Bytes of HTML beyond which Gmail hides the rest behind a link."""
MOST_MAIL: Final = 10 * 1024 * 1024
"""Bytes on the wire that many servers refuse more than."""
FEWEST_WORDS: Final = 3
SHOWN_PLACES: Final = 3
PLACE_LENGTH: Final = 60

_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_URL: Final = re.compile(r"\b(?:https?|mailto):\S+", re.IGNORECASE)
# Placeholders of this language and of others, as they look where nobody filled them in.
_PLACEHOLDER: Final = re.compile(
    r"\{\{[^{}]{0,80}\}\}|\{%[^{}]{0,80}%\}|\[\[\w[^\[\]]{0,60}\]\]|\*\|[^|*]{1,60}\|\*"
    r"|%%\w{1,60}%%|<%=?[^<>%]{1,80}%>|\$\{\w[^{}]{0,60}\}|##\w{1,60}##"
)
_OTHER_SCHEMES: Final = ("mailto:", "tel:", "sms:")


class Check(StrEnum):
    """What can be noticed, what weighs most first."""

    UNREAD = "not_checked"
    SUBJECT_EMPTY = "subject_empty"
    PLACEHOLDER = "placeholder_left"
    LINK_BROKEN = "link_broken"
    PICTURE_BROKEN = "picture_broken"
    NO_UNSUBSCRIBE = "no_unsubscribe_link"
    NO_ONE_CLICK = "no_one_click"
    TOO_LARGE = "too_large"
    CLIPPED = "html_clipped"
    LINK_HTTP = "link_http"
    PICTURE_HTTP = "picture_http"
    PICTURE_EMBEDDED = "picture_embedded"
    PICTURE_NO_ALT = "picture_without_alt"
    LINK_NO_LABEL = "link_without_label"
    TEXT_POOR = "text_poor"
    ACTIVE = "active_content"
    SUBJECT_LONG = "subject_long"
    SUBJECT_SHOUTS = "subject_shouts"


_SAYS: Final[dict[Check, tuple[str, str]]] = {
    Check.UNREAD: (
        "The message was not checked: its HTML is too broken, or nested too deep, to be read.",
        "Le message n’a pas été vérifié : son HTML est trop abîmé ou trop imbriqué pour être lu.",
    ),
    Check.SUBJECT_EMPTY: ("The subject is empty.", "L’objet est vide."),
    Check.PLACEHOLDER: (
        "Placeholders that nobody filled in: {count} ({places}).",
        "Champs restés sans valeur : {count} ({places}).",
    ),
    Check.LINK_BROKEN: (
        "Links that lead nowhere: {count} ({places}).",
        "Liens qui ne mènent nulle part : {count} ({places}).",
    ),
    Check.PICTURE_BROKEN: (
        "Pictures that no reader can load: {count} ({places}).",
        "Images qu’aucun lecteur ne peut charger : {count} ({places}).",
    ),
    Check.NO_UNSUBSCRIBE: (
        "The template has no unsubscribe link; a line with one is added at its end.",
        "Le modèle n’a pas de lien de désabonnement ; une ligne en ajoute un à la fin.",
    ),
    Check.NO_ONE_CLICK: (
        "Mails offer no one-click unsubscribe: PUBLIC_URL is not https.",
        "Les messages n’offrent pas le désabonnement en un clic : PUBLIC_URL n’est pas en https.",
    ),
    Check.TOO_LARGE: (
        "The mail takes {size}; many servers refuse more than 10 MB.",
        "Le message pèse {size} ; beaucoup de serveurs refusent plus de 10 Mo.",
    ),
    Check.CLIPPED: (
        "The HTML takes {size}; Gmail hides what comes after 102 KB.",
        "Le HTML pèse {size} ; Gmail masque ce qui dépasse 102 Ko.",
    ),
    Check.LINK_HTTP: (
        "Links to unprotected http:// addresses: {count} ({places}).",
        "Liens vers des adresses http:// non protégées : {count} ({places}).",
    ),
    Check.PICTURE_HTTP: (
        "Pictures from unprotected http:// addresses: {count} ({places}).",
        "Images d’adresses http:// non protégées : {count} ({places}).",
    ),
    Check.PICTURE_EMBEDDED: (
        "Pictures inside the HTML, which Gmail and Outlook do not show: {count} ({places}).",
        "Images incluses dans le HTML, que Gmail et Outlook n’affichent pas : {count} ({places}).",
    ),
    Check.PICTURE_NO_ALT: (
        "Pictures without an alternative text: {count} ({places}).",
        "Images sans texte de remplacement : {count} ({places}).",
    ),
    Check.LINK_NO_LABEL: (
        "Links that show no words: {count} ({places}).",
        "Liens sans libellé : {count} ({places}).",
    ),
    Check.TEXT_POOR: (
        "The text part says next to nothing: those who see no pictures see an empty message.",
        "La version texte est presque vide : sans les images, le message ne dit rien.",
    ),
    Check.ACTIVE: (
        "Parts that mail programs remove: {count} ({places}).",
        "Éléments que les messageries suppriment : {count} ({places}).",
    ),
    Check.SUBJECT_LONG: (
        "The subject has {count} characters; most programs show 70.",
        "L’objet compte {count} caractères ; la plupart des messageries en montrent 70.",
    ),
    Check.SUBJECT_SHOUTS: (
        "The subject is in capitals or has several exclamation marks, as spam does.",
        "L’objet est en majuscules ou multiplie les points d’exclamation, comme un spam.",
    ),
}
_NUMBERED: Final = {"link": ("link {n}", "lien {n}"), "picture": ("picture {n}", "image {n}")}


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as its proof shows it, and what its author wrote.

    Attributes:
        subject: without the proof's prefix.
        written: the author's templates and link targets: what may be quoted.
        ours: how addresses begin that this product puts in (its own pages, its pixel).
        attached_bytes: of the files, before they are encoded.
        has_unsubscribe: whether the author's parts show the unsubscribe link themselves.
        one_click: whether mail programs will offer to unsubscribe with one click (RFC 8058).
    """

    subject: str
    html: str
    text: str
    written: tuple[str, ...]
    ours: tuple[str, ...] = ()
    attached_bytes: int = 0
    has_unsubscribe: bool = True
    one_click: bool = True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something was noticed: a piece of text, or the number of a link or picture."""

    text: str
    kind: str = ""
    number: int = 0


def warnings_of(shown: Shown) -> tuple[ContentWarning, ...]:
    """Return what to look at in a message, what weighs most first; empty when nothing."""
    markup = read(shown.html)
    found = [
        *_subject(shown.subject),
        *_words(shown),
        *_links(shown, markup),
        *_pictures(shown, markup),
        *_sizes(shown),
    ]
    if not shown.has_unsubscribe:
        found.append(_warning(Check.NO_UNSUBSCRIBE))
    if not shown.one_click:
        found.append(_warning(Check.NO_ONE_CLICK))
    if markup.active:
        places = [_Place(f"<{tag}>") for tag in dict.fromkeys(markup.active)]
        found.append(_listed(Check.ACTIVE, shown, places, count=len(markup.active)))
    order = list(Check)
    return tuple(sorted(found, key=lambda one: order.index(Check(one.code))))


def _subject(subject: str) -> Iterator[ContentWarning]:
    if not subject.strip():
        yield _warning(Check.SUBJECT_EMPTY)
    if len(subject) > MOST_SUBJECT:
        yield _warning(Check.SUBJECT_LONG, count=len(subject))
    words = _WORD.findall(subject)
    capitals = len("".join(words)) >= 8 and len(words) > 1 and all(w.isupper() for w in words)
    if capitals or subject.count("!") > 1:
        yield _warning(Check.SUBJECT_SHOUTS)


def _words(shown: Shown) -> Iterator[ContentWarning]:
    left = [
        found
        for part in (shown.subject, shown.text, shown.html)
        for found in _PLACEHOLDER.findall(part)
    ]
    if left:
        places = [_Place(text) for text in dict.fromkeys(left)]
        yield _listed(Check.PLACEHOLDER, shown, places, count=len(places))
    if len(_WORD.findall(_URL.sub(" ", shown.text))) < FEWEST_WORDS:
        yield _warning(Check.TEXT_POOR)


def _links(shown: Shown, markup: Markup) -> Iterator[ContentWarning]:
    places = [_Place(link.target, "link", n) for n, link in enumerate(markup.links, 1)]
    theirs = [place for place in places if not place.text.startswith(shown.ours)]

    def leads_nowhere(target: str) -> bool:
        if target.startswith("#"):
            return target[1:] not in markup.anchors
        if target.lower().startswith(_OTHER_SCHEMES):
            return not target.partition(":")[2].strip()
        return not _is_public(target)

    yield from _where(Check.LINK_BROKEN, shown, theirs, leads_nowhere)
    yield from _where(Check.LINK_HTTP, shown, theirs, _is_http)
    bare = [place for place, link in zip(places, markup.links, strict=True) if not link.is_labelled]
    if bare:
        yield _listed(Check.LINK_NO_LABEL, shown, bare)


def _pictures(shown: Shown, markup: Markup) -> Iterator[ContentWarning]:
    places = [_Place(one.source, "picture", n) for n, one in enumerate(markup.pictures, 1)]
    theirs = [place for place in places if not place.text.startswith(shown.ours)]

    def embedded(source: str) -> bool:
        return source.lower().startswith("data:")

    def unloadable(source: str) -> bool:
        return not embedded(source) and not _is_public(source)

    yield from _where(Check.PICTURE_BROKEN, shown, theirs, unloadable)
    yield from _where(Check.PICTURE_HTTP, shown, theirs, _is_http)
    yield from _where(Check.PICTURE_EMBEDDED, shown, theirs, embedded)
    silent = [place for place, one in zip(places, markup.pictures, strict=True) if one.alt is None]
    if silent:
        yield _listed(Check.PICTURE_NO_ALT, shown, silent)


def _sizes(shown: Shown) -> Iterator[ContentWarning]:
    html, text = len(shown.html.encode()), len(shown.text.encode())
    if html > CLIPPED_AT:
        yield _warning(Check.CLIPPED, size=_size(html))
    # Files travel in base64: four characters for three bytes.
    whole = html + text + shown.attached_bytes * 4 // 3
    if whole > MOST_MAIL:
        yield _warning(Check.TOO_LARGE, size=_size(whole))


def _is_public(url: str) -> bool:
    """Whether anybody can reach an address: http or https, and a host known beyond this network."""
    try:
        host = urlsplit(web_target(url)).hostname or ""
    except NotWeb:
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".")


def _is_http(url: str) -> bool:
    return url.lower().startswith("http://") and _is_public(url)


def _size(count: int) -> tuple[str, str]:
    if count < MOST_MAIL // 10:
        return f"{count // 1024} KB", f"{count // 1024} Ko"
    whole = f"{count / 1024 / 1024:.1f}"
    return f"{whole} MB", f"{whole.replace('.', ',')} Mo"


def _where(
    check: Check, shown: Shown, places: Iterable[_Place], wrong: Callable[[str], bool]
) -> Iterator[ContentWarning]:
    found = [place for place in places if wrong(place.text)]
    if found:
        yield _listed(check, shown, found)


def _listed(
    check: Check, shown: Shown, places: Sequence[_Place], *, count: int | None = None
) -> ContentWarning:
    named = [_named(place, shown.written) for place in places]
    first = [tuple(dict.fromkeys(one))[:SHOWN_PLACES] for one in zip(*named, strict=True)]
    more = ", …" if len(set(named)) > SHOWN_PLACES else ""
    english, french = (", ".join(one) + more for one in first)
    return _warning(check, count=len(places) if count is None else count, places=(english, french))


def _named(place: _Place, written: Sequence[str]) -> tuple[str, str]:
    """Return a place in both languages: quoted where the author wrote it, else numbered."""
    text = place.text
    forms = {text, escape(text), escape(text, quote=False)}
    if place.kind and not (text and any(form in one for form in forms for one in written)):
        english, french = _NUMBERED[place.kind]
        return english.format(n=place.number), french.format(n=place.number)
    if not place.kind and not (text.startswith("<") or any(text in one for one in written)):
        return "…", "…"
    short = text if len(text) <= PLACE_LENGTH else text[: PLACE_LENGTH - 1] + "…"
    return short, short


def _warning(check: Check, **values: int | tuple[str, str]) -> ContentWarning:
    pairs = [
        {name: value[i] if isinstance(value, tuple) else value for name, value in values.items()}
        for i in range(2)
    ]
    english, french = (said.format(**pair) for said, pair in zip(_SAYS[check], pairs, strict=True))
    return ContentWarning(code=check.value, text=english, text_fr=french)


UNREAD: Final = _warning(Check.UNREAD)
"""What is said of a message that could not be read in time."""
