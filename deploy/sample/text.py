"""How names become the ASCII parts of domains and addresses."""

import re
import unicodedata
from functools import lru_cache

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "Oe", "æ": "ae", "Æ": "Ae", "ß": "ss"})
_OTHER = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=1024)
def slug(name: str, separator: str = "-") -> str:
    """Return ``name`` in lower-case ASCII letters and digits: ``Œuvre d'Été`` is ``oeuvre-d-ete``.

    Args:
        name: any text.
        separator: put where other characters stood; none is left at the ends.
    """
    plain = unicodedata.normalize("NFKD", name.translate(_LIGATURES))
    ascii_only = plain.encode("ascii", "ignore").decode("ascii").lower()
    return _OTHER.sub(separator, ascii_only).strip(separator or None)
