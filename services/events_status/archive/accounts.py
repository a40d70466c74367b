"""Execution accounts: whose events a synchronisation brings into the archive.

An account is named by the setting MESSAGE_CENTER_ACCOUNTS, not by a person at run time: the engine
registers technical workflows when a process starts, and a synchronisation without a workflow of
its own could be neither stopped nor seen (source: Adobe Campaign, mcSynch_<account>).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.settings import SettingsError
from shared.uow import Work

VARIABLE: Final = "MESSAGE_CENTER_ACCOUNTS"
DEFAULT: Final = "default"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_KEEP: Final = """
WITH kept AS (
    INSERT INTO execution_accounts AS a (name, label, source_prefix)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (name) DO UPDATE SET source_prefix = excluded.source_prefix, active = true
    WHERE a.source_prefix <> excluded.source_prefix OR NOT a.active
)
UPDATE execution_accounts SET active = false WHERE active AND name <> ALL ($1::text[])
"""
OWN: Final = """(
    SELECT a.name FROM execution_accounts a
    WHERE a.active AND starts_with(e.source, a.source_prefix)
    ORDER BY length(a.source_prefix) DESC, a.name LIMIT 1)"""
"""The account of the event ``e``: the active one whose prefix of its source is the longest."""


@dataclass(frozen=True, slots=True)
class Account:
    """An execution account; it takes events whose CloudEvents source begins with ``prefix``."""

    name: str
    prefix: str = ""

    @property
    def workflow(self) -> str:
        """Its technical workflow."""
        return f"mcSynch_{self.name}"

    @property
    def label(self) -> str:
        """What it is called on screen."""
        return self.name.replace("_", " ").capitalize()


def read_accounts(text: str) -> tuple[Account, ...]:
    """Return the accounts of a setting such as ``default,shop=/shop/``; there is always a default.

    Raises:
        SettingsError: a name or a prefix is wrong or comes twice.
    """
    found = {DEFAULT: Account(DEFAULT)}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, prefix = part.partition("=")
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"{VARIABLE}: {name!r} is no name of an account (a-z, 0-9, _; at most 31)"
            )
        if name == DEFAULT and not prefix:
            continue
        if name in found or not prefix or prefix in {one.prefix for one in found.values()}:
            raise SettingsError(f"{VARIABLE}: {part!r} needs a name and a prefix of its own")
        found[name] = Account(name, prefix)
    return tuple(found.values())


ACCOUNTS: Final = read_accounts(os.environ.get(VARIABLE, DEFAULT))


async def keep_accounts(work: Work, accounts: Sequence[Account]) -> None:
    """Have one row per account; the events of one that is named no more go to others."""
    rows = await work.connection.fetch(
        "SELECT name, source_prefix FROM execution_accounts WHERE active"
    )
    if {(row["name"], row["source_prefix"]) for row in rows} == {
        (one.name, one.prefix) for one in accounts
    }:
        return
    await work.connection.execute(
        _KEEP,
        [one.name for one in accounts],
        [one.label for one in accounts],
        [one.prefix for one in accounts],
    )
