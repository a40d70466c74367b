"""Writes the sample CRM: the same files for the same seed, in flat memory for any scale.

Each site is drawn from its own seed and written with its contacts and deals before the next one, so
nothing but the current site is held.
"""

import argparse
import csv
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from rich.console import Console

from deploy.sample import SAMPLE_SEED, deals
from deploy.sample.companies import company
from deploy.sample.faulty import write_faulty_contacts
from deploy.sample.people import Roster, employee, employee_ref
from deploy.sample.places import TOWNS, Town, landline, postal_code, street
from deploy.sample.rows import Contact, Deal, Employee, Site

SITES: Final = 420
CONTACTS: Final = 2_100
EMPLOYEES: Final = 26
# Contacts and deals of ten sites in a row: 5 and 1.5 per site on average, exact for any scale.
_CONTACTS_PATTERN: Final = (3, 8, 1, 5, 9, 2, 6, 4, 7, 5)
_DEALS_PATTERN: Final = (1, 3, 0, 2, 4, 0, 1, 1, 2, 1)
_SEGMENTS: Final = ("prospect", "customer", "key_account", "partner", "former_customer")
_SEGMENT_WEIGHTS: Final = (45, 35, 6, 6, 8)
# Whole numbers only, here and in amounts: the last bit of a float may differ between machines.
_HEADCOUNTS: Final = (5, 10, 20, 50, 50, 250, 1_500)


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows each file of the sample holds, headers apart."""

    sites: int
    contacts: int
    employees: int
    deals: int


class Household(NamedTuple):
    """One site with everything that hangs on it."""

    site: Site
    contacts: tuple[Contact, ...]
    deals: tuple[Deal, ...]


def households(*, seed: int, scale: int) -> Iterator[Household]:
    """Yield the sites one after the other, each with its contacts and deals.

    Args:
        seed: the same seed gives the same rows.
        scale: how many times 420 sites; the first sites are the same for every scale.
    """
    contacts = dealt = 0
    for index in range(SITES * scale):
        random = Random(f"{seed}:site:{index}")
        count = _CONTACTS_PATTERN[index % len(_CONTACTS_PATTERN)]
        town, domain, site = _site(random, index, fewest=count)
        roster = Roster(random, site_ref=site.site_ref, town=town, domain=domain)
        people = tuple(roster.hire(contacts + n) for n in range(1, count + 1))
        sales = tuple(
            _deal(random, dealt + n, town, people)
            for n in range(1, _DEALS_PATTERN[index % len(_DEALS_PATTERN)] + 1)
        )
        contacts, dealt = contacts + len(people), dealt + len(sales)
        yield Household(site, people, sales)


def write_crm(
    directory: Path, *, seed: int = SAMPLE_SEED, scale: int = 1, contacts: int | None = None
) -> Written:
    """Write the CRM files and the one with faults into ``directory``; return the rows written.

    ``contacts``: stop at the site with which there are so many, instead of at the scale's end.

    The files are UTF-8 with commas: ``crm/sites.csv``, ``crm/contacts.csv``, ``crm/employees.csv``,
    ``crm/deals.csv`` and ``crm/contacts_with_errors.csv``. Existing ones are overwritten.

    Raises:
        ValueError: ``scale`` is below 1.
        OSError: the directory cannot be made or written.
    """
    if scale < 1:
        raise ValueError(f"scale is {scale}: give a whole number from 1 up")
    crm = directory / "crm"
    crm.mkdir(parents=True, exist_ok=True)
    if contacts is not None:
        scale = -(-contacts // CONTACTS)
    employees = _write_employees(crm / "employees.csv", seed=seed, scale=scale)
    written = _write_households(crm, employees, seed=seed, scale=scale, most_contacts=contacts)
    first = (contact for house in households(seed=seed, scale=1) for contact in house.contacts)
    write_faulty_contacts(crm / "contacts_with_errors.csv", first)
    return written


def _write_households(
    crm: Path, employees: int, *, seed: int, scale: int, most_contacts: int | None
) -> Written:
    sites = contacts = dealt = 0
    with ExitStack() as stack:
        site_rows = _writer(stack, crm / "sites.csv", Site)
        contact_rows = _writer(stack, crm / "contacts.csv", Contact)
        deal_rows = _writer(stack, crm / "deals.csv", Deal)
        for house in households(seed=seed, scale=scale):
            site_rows.writerow(house.site)
            contact_rows.writerows(house.contacts)
            deal_rows.writerows(house.deals)
            sites, contacts = sites + 1, contacts + len(house.contacts)
            dealt += len(house.deals)
            if most_contacts is not None and contacts >= most_contacts:
                break
    return Written(sites=sites, contacts=contacts, employees=employees, deals=dealt)


def _write_employees(path: Path, *, seed: int, scale: int) -> int:
    count = EMPLOYEES * scale
    with ExitStack() as stack:
        writer = _writer(stack, path, Employee)
        for index in range(count):
            writer.writerow(employee(Random(f"{seed}:employee:{index}"), index))
    return count


# The csv module keeps its writer type private, hence Any.
def _writer(stack: ExitStack, path: Path, row: Any) -> Any:
    file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(row._fields)
    return writer


def _site(random: Random, index: int, *, fewest: int) -> tuple[Town, str, Site]:
    town = random.choice(TOWNS)
    name, domain = company(index, town.language)
    site = Site(
        site_ref=f"SITE-{index + 1:06d}",
        name=name,
        street=street(random, town),
        postal_code=postal_code(random, town),
        town=town.name,
        country=town.country,
        phone=landline(random, town),
        language=town.language,
        segment=random.choices(_SEGMENTS, weights=_SEGMENT_WEIGHTS)[0],
        headcount=random.randint(fewest, fewest + random.choice(_HEADCOUNTS)),
    )
    return town, domain, site


def _deal(random: Random, number: int, town: Town, people: tuple[Contact, ...]) -> Deal:
    offer = random.choice(deals.OFFERS)
    status = deals.pick_status(random)
    revenue, margin = deals.pick_amounts(random, offer)
    contact = random.choice(people)
    return Deal(
        deal_ref=f"DEAL-{number:06d}",
        site_ref=contact.site_ref,
        contact_ref=contact.contact_ref if random.random() < 0.9 else "",
        # Among the first of any scale, so that the first deals are the same for every scale.
        owner_ref=employee_ref(random.randrange(EMPLOYEES)),
        business_line=offer.business_line,
        market=random.choice(deals.MARKETS),
        product=offer.product,
        status=status,
        expected_signature=deals.pick_signature(random).isoformat(),
        revenue_minor=revenue,
        margin_minor=margin,
        currency=deals.CURRENCIES[town.country],
        probability_percent=deals.pick_probability(random, status),
        comment=deals.pick_comment(random, town.language),
    )


def main() -> None:
    """Write the sample where ``--out`` says and tell how many rows it holds."""
    parser = argparse.ArgumentParser(description="Write the sample CRM files.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write crm/ into")
    parser.add_argument("--seed", type=int, default=SAMPLE_SEED)
    parser.add_argument("--scale", type=int, default=1, help="1 is 420 sites and 2,100 contacts")
    parser.add_argument("--contacts", type=int, help="so many contacts, instead of a scale")
    given = parser.parse_args()
    written = write_crm(given.out, seed=given.seed, scale=given.scale, contacts=given.contacts)
    Console().print(
        f"{written.sites} sites, {written.contacts} contacts, {written.employees} employees and"
        f" {written.deals} deals in {given.out / 'crm'}"
    )


if __name__ == "__main__":
    main()
