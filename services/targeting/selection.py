"""The queries of a definition: its members in order, and its tally, each in one statement.

Both kinds of targeting become the same query over the views of the schema ``directory``: criteria
as conditions, direct SQL as a subquery in the guard's normal form. What a member is:

- contacts: the contact, with its site.
- sites: the site, with its main contact: among its contacts that meet the criteria, the first by
  reference, those with an address before those without, and those who did not opt out first.
- deals: the deal, with its site and its contact, if it has one.

Whoever opted out stays a member and is marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.targeting.criteria import Conditions, compile_criteria
from services.targeting.domain import Definition
from topics.targeting import Counts, TargetingKind

_ID: Final = {Counts.SITES: "site_id", Counts.CONTACTS: "contact_id", Counts.DEALS: "deal_id"}
_ALIAS: Final = {Counts.SITES: "s", Counts.CONTACTS: "c", Counts.DEALS: "d"}

_CONTACT: Final = """
c.contact_id, c.first_name, c.last_name, c.email, c.recipient_key, c.direct_line, c.mobile,
coalesce(c.language, s.language) AS language, coalesce(c.opted_out, false) AS opted_out"""
_SITE: Final = """
s.site_id, s.name, s.street, s.postal_code, s.town, s.country, s.phone"""
_DEALS_OF: Final = {
    Counts.CONTACTS: "d.contact_id = m.contact_id",
    Counts.SITES: "d.site_id = m.site_id",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """A definition ready to run.

    Attributes:
        members: the query of all members, ordered by member id.
        tally: the query of one row with the fields of :class:`domain.Tally`.
        unsorted: the query of all members' ids, in no order: one may be written behind it.
        sample: the query of the first members; its last parameter is how many.
        restricted: it holds text that somebody wrote, and runs as the direct SQL role only.
    """

    members: str
    unsorted: str
    tally: str
    sample: str
    args: tuple[object, ...]
    restricted: bool


def select(definition: Definition, *, rows_max: int) -> Selection:
    """Return the queries of a definition.

    Args:
        definition: what to choose; its SQL has passed the guard.
        rows_max: direct SQL gives out one id more than this at most, so that it can be refused.

    Raises:
        Refused: a criterion makes no sense.
    """
    conditions = compile_criteria(definition.criteria)
    if definition.kind is TargetingKind.SQL:
        chosen = _written(definition.sql or "", rows_max)
    else:
        chosen = _matching(definition.counts, conditions)
    members = _members(definition.counts, conditions)
    head = f"WITH chosen AS MATERIALIZED ({chosen})"
    return Selection(
        members=f"{head} {members} ORDER BY member_id",
        unsorted=f"{head} SELECT member_id FROM ({members}) AS f",
        tally=f"{head}, member AS MATERIALIZED ({members}) {_tally(definition.counts, conditions)}",
        sample=f"{head} {members} ORDER BY member_id LIMIT ${len(conditions.args) + 1}",
        args=tuple(conditions.args),
        restricted=definition.kind is TargetingKind.SQL,
    )


def _written(sql: str, rows_max: int) -> str:
    # The alias renames the first column, whatever it is called, and leaves the others alone.
    return (
        "SELECT DISTINCT q.muster_member AS member_id"
        f" FROM ({sql}) AS q (muster_member) LIMIT {rows_max + 1}"
    )


def _matching(counts: Counts, conditions: Conditions) -> str:
    if counts is Counts.CONTACTS:
        source = "directory.contacts c JOIN directory.sites s ON s.site_id = c.site_id"
        needed = [*conditions.contact, *conditions.site, *_exists_deal(counts, conditions)]
    elif counts is Counts.SITES:
        source = "directory.sites s"
        needed = [*conditions.site, *_exists_contact(conditions), *_exists_deal(counts, conditions)]
    else:
        source = (
            "directory.deals d JOIN directory.sites s ON s.site_id = d.site_id"
            " LEFT JOIN directory.contacts c ON c.contact_id = d.contact_id"
        )
        needed = [*conditions.deal, *conditions.site, *conditions.contact]
    return f"SELECT {_ALIAS[counts]}.{_ID[counts]} AS member_id FROM {source}{_where(needed)}"


def _exists_contact(conditions: Conditions) -> list[str]:
    if not conditions.contact:
        return []
    needed = _where(["c.site_id = s.site_id", *conditions.contact])
    return [f"EXISTS (SELECT 1 FROM directory.contacts c{needed})"]


def _exists_deal(counts: Counts, conditions: Conditions) -> list[str]:
    if not conditions.deal:
        return []
    alias, column = _ALIAS[counts], _ID[counts]
    needed = _where([f"d.{column} = {alias}.{column}", *conditions.deal])
    return [f"EXISTS (SELECT 1 FROM directory.deals d{needed})"]


def _where(needed: list[str]) -> str:
    return f" WHERE {' AND '.join(needed)}" if needed else ""


def _members(counts: Counts, conditions: Conditions) -> str:
    deal = "d.deal_id" if counts is Counts.DEALS else "NULL::uuid AS deal_id"
    return f"SELECT m.member_id, {deal}, {_SITE}, {_CONTACT} {_source(counts, conditions)}"


def _source(counts: Counts, conditions: Conditions) -> str:
    if counts is Counts.CONTACTS:
        return (
            "FROM chosen m JOIN directory.contacts c ON c.contact_id = m.member_id"
            " JOIN directory.sites s ON s.site_id = c.site_id"
        )
    if counts is Counts.DEALS:
        return (
            "FROM chosen m JOIN directory.deals d ON d.deal_id = m.member_id"
            " JOIN directory.sites s ON s.site_id = d.site_id"
            " LEFT JOIN directory.contacts c ON c.contact_id = d.contact_id"
        )
    # All main contacts in one sort: looking each up for its site took minutes for 8,400 sites.
    return (
        "FROM chosen m JOIN directory.sites s ON s.site_id = m.member_id"
        " LEFT JOIN (SELECT DISTINCT ON (c.site_id) c.* FROM directory.contacts c"
        f" JOIN chosen o ON o.member_id = c.site_id{_where(conditions.contact)}"
        " ORDER BY c.site_id, c.email IS NULL, c.opted_out, c.contact_ref) c"
        " ON c.site_id = s.site_id"
    )


def _tally(counts: Counts, conditions: Conditions) -> str:
    if counts is Counts.DEALS:
        deals = "SELECT count(*) FROM member"
    else:
        needed = [_DEALS_OF[counts], *conditions.deal]
        deals = f"SELECT count(*) FROM directory.deals d JOIN member m ON {' AND '.join(needed)}"
    return f"""
SELECT (SELECT count(*) FROM chosen) AS chosen, (SELECT count(*) FROM member) AS members,
       ({deals}) AS deals, (SELECT count(DISTINCT site_id) FROM member) AS organisations,
       p.persons, p.without_email, p.addresses, p.opted_out
FROM (SELECT count(*) AS persons, count(*) FILTER (WHERE recipient_key IS NULL) AS without_email,
             count(DISTINCT recipient_key) AS addresses,
             count(DISTINCT recipient_key) FILTER (WHERE opted_out) AS opted_out
      FROM (SELECT DISTINCT contact_id, recipient_key, opted_out FROM member
            WHERE contact_id IS NOT NULL) persons) p"""
