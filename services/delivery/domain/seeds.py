"""Seeds: addresses outside the target that get what its recipients get. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.delivery.personal import CONTACT
from topics.delivery import Seed

SITE: Final = ("name", "street", "postal_code", "town", "country", "phone")
FIELDS: Final = frozenset(f"contact.{name}" for name in CONTACT if name != "email") | frozenset(
    f"site.{name}" for name in SITE
)
"""What a seed may say of itself."""


def why_not(seeds: Sequence[Seed]) -> str | None:
    """Return what is wrong with a list of seeds, in words; ``None`` when nothing is."""
    for number, seed in enumerate(seeds, 1):
        unknown = sorted(seed.fields.keys() - FIELDS)
        if unknown:
            known = ", ".join(sorted(FIELDS))
            return f"number {number}: {unknown[0]} is no field; there are {known}"
    return None


def merge_of_seed(seed: Seed, site: Mapping[str, Any]) -> dict[str, Any]:
    """Return a seed's merge data: its own fields, and those of a site where it names none.

    Nothing that is personal comes from anybody else: a seed's row is not found by others' erasure.
    """
    contact = {name: seed.fields.get(f"contact.{name}", "") for name in CONTACT}
    own = {name: said for name in SITE if (said := seed.fields.get(f"site.{name}"))}
    return {"contact": contact | {"email": seed.address}, "site": {**site, **own}}
