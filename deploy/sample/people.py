"""Contacts and employees: names, addresses that fit them, and consent."""

from random import Random
from typing import Final

from deploy.sample.names import FIRST_NAMES, JOB_TITLES, LAST_NAMES
from deploy.sample.places import Town, landline, mobile
from deploy.sample.rows import Contact, Employee
from deploy.sample.text import slug

EMPLOYEE_DOMAIN: Final = "alize-conseil.example"
TEAMS: Final = ("Sales North", "Sales South", "Sales UK & Ireland", "Marketing", "Field service")
EMPLOYEE_TITLES: Final = (
    "Account Manager", "Chargée d'affaires", "Sales Director", "Responsable de campagne",
    "Technico-commercial", "Inside Sales", "Responsable de secteur",
)  # fmt: skip
_NO_EMAIL: Final = 0.08
_SHARED_ADDRESS: Final = 0.015
_CASE_VARIANT: Final = 0.015
_OPTED_OUT: Final = 0.03
_NEVER_ASKED: Final = 0.10


class Roster:
    """The contacts of one site; keeps what was given out so that addresses stay distinct."""

    def __init__(self, random: Random, *, site_ref: str, town: Town, domain: str) -> None:
        self._random = random
        self._site_ref = site_ref
        self._town = town
        self._domain = domain
        self._given: list[str] = []

    def hire(self, number: int) -> Contact:
        """Return the contact with the running ``number``, counted over all sites."""
        random, language = self._random, self._language()
        first, last = _person(random, language)
        return Contact(
            contact_ref=f"CON-{number:07d}",
            site_ref=self._site_ref,
            first_name=first,
            last_name=last,
            job_title=random.choice(JOB_TITLES[language]),
            email=self._address(first, last),
            direct_line=landline(random, self._town) if random.random() < 0.6 else "",
            mobile=mobile(random, self._town) if random.random() < 0.45 else "",
            language=language,
            email_consent=_consent(random),
        )

    def _language(self) -> str:
        other = {"fr": "en", "en": "fr"}[self._town.language]
        return other if self._random.random() < 0.05 else self._town.language

    def _address(self, first: str, last: str) -> str:
        """Return an address, none, one that a colleague has too, or one in unusual case."""
        drawn = self._random.random()
        if drawn < _NO_EMAIL:
            return ""
        if drawn < _NO_EMAIL + _SHARED_ADDRESS and self._given:
            return _in_case(self._random, self._random.choice(self._given))
        local = _distinct(_local_part(self._random, first, last), self._taken())
        address = f"{local}@{self._domain}"
        self._given.append(address)
        return _shouted(address) if drawn > 1 - _CASE_VARIANT else address

    def _taken(self) -> set[str]:
        return {address.partition("@")[0] for address in self._given}


def employee(random: Random, index: int) -> Employee:
    """Return employee ``index``, counted from 0; no two share an address."""
    language = "fr" if index % 3 else "en"
    firsts, lasts = FIRST_NAMES[language], LAST_NAMES[language]
    first, last = firsts[index % len(firsts)], lasts[index % len(lasts)]
    number = "" if index < len(firsts) else str(index)
    return Employee(
        employee_ref=employee_ref(index),
        first_name=first,
        last_name=last,
        email=f"{slug(first)}.{slug(last)}{number}@{EMPLOYEE_DOMAIN}",
        job_title=random.choice(EMPLOYEE_TITLES),
        team=TEAMS[index % len(TEAMS)],
    )


def employee_ref(index: int) -> str:
    """Return the reference of employee ``index``, counted from 0."""
    return f"EMP-{index + 1:04d}"


def _person(random: Random, language: str) -> tuple[str, str]:
    return random.choice(FIRST_NAMES[language]), random.choice(LAST_NAMES[language])


def _local_part(random: Random, first: str, last: str) -> str:
    family = slug(last, "")
    drawn = random.random()
    if drawn < 0.75:
        return f"{slug(first)}.{family}"
    return f"{slug(first)[0]}.{family}" if drawn < 0.92 else family


def _distinct(local: str, taken: set[str]) -> str:
    number, candidate = 1, local
    while candidate in taken:
        number += 1
        candidate = f"{local}{number}"
    return candidate


def _in_case(random: Random, address: str) -> str:
    return _shouted(address) if random.random() < 0.4 else address


def _shouted(address: str) -> str:
    local, _, domain = address.partition("@")
    first, dot, last = local.partition(".")
    return f"{first.capitalize()}{dot}{last.upper()}@{domain.title().replace('.Ex', '.ex')}"


def _consent(random: Random) -> str:
    drawn = random.random()
    if drawn < _OPTED_OUT:
        return "no"
    return "" if drawn < _OPTED_OUT + _NEVER_ASKED else "yes"
