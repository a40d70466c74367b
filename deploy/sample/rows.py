"""The rows of the four CRM files; the fields of each row are the columns of its file, in order."""

from typing import NamedTuple


class Site(NamedTuple):
    """An organisation's address, the unit that campaigns count as a dossier."""

    site_ref: str
    name: str
    street: str
    postal_code: str
    town: str
    country: str
    phone: str
    language: str
    segment: str
    headcount: int


class Contact(NamedTuple):
    """A person at a site; ``email_consent`` is yes, no, or empty when never asked."""

    contact_ref: str
    site_ref: str
    first_name: str
    last_name: str
    job_title: str
    email: str
    direct_line: str
    mobile: str
    language: str
    email_consent: str


class Employee(NamedTuple):
    """Someone of the sender's own company, who may own deals."""

    employee_ref: str
    first_name: str
    last_name: str
    email: str
    job_title: str
    team: str


class Deal(NamedTuple):
    """A sale in view; amounts in minor units of ``currency``, the signature as an ISO date."""

    deal_ref: str
    site_ref: str
    contact_ref: str
    owner_ref: str
    business_line: str
    market: str
    product: str
    status: str
    expected_signature: str
    revenue_minor: int
    margin_minor: int
    currency: str
    probability_percent: int
    comment: str
