"""The sample CRM: its checked-in files are what the script makes, and hold what tests rely on."""

import csv
import tracemalloc
from collections import Counter
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from deploy.sample import CRM_DIR, SAMPLE_SEED
from deploy.sample.companies import company
from deploy.sample.deals import STATUSES
from deploy.sample.faulty import FAULTS, GOOD_ROWS
from deploy.sample.generate import households, write_crm
from deploy.sample.people import employee
from deploy.sample.places import TOWNS
from deploy.sample.text import slug

FILES = ("sites", "contacts", "employees", "deals", "contacts_with_errors")


def rows(name: str) -> list[dict[str, str]]:
    with (CRM_DIR / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def values(name: str, column: str) -> list[str]:
    return [row[column] for row in rows(name)]


def test_the_script_makes_the_files_that_are_checked_in(tmp_path: Path) -> None:
    write_crm(tmp_path, seed=SAMPLE_SEED, scale=1)
    made = {path.name: path.read_bytes() for path in (tmp_path / "crm").iterdir()}
    kept = {path.name: path.read_bytes() for path in CRM_DIR.iterdir()}
    assert made.keys() == {f"{name}.csv" for name in FILES}
    for name, content in made.items():
        # Compared as a flag: the difference of two such files is no message to read.
        same = content == kept.get(name)
        assert same, f"{name} differs: run python -m deploy.sample.generate --out deploy/sample"


def test_another_seed_makes_other_people() -> None:
    ours, others = (next(households(seed=seed, scale=1)).contacts for seed in (7, 8))
    assert ours != others


def test_a_larger_sample_starts_with_the_smaller_one() -> None:
    small = list(islice(households(seed=7, scale=1), 50))
    assert list(islice(households(seed=7, scale=1_000), 50)) == small


def test_memory_stays_flat_whatever_the_scale(tmp_path: Path) -> None:
    write_crm(tmp_path, scale=1)  # fills the caches that any scale fills
    tracemalloc.start()
    try:
        written = write_crm(tmp_path, scale=6)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written.contacts == 12_600
    assert peak_bytes < 1_000_000


def test_a_scale_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole number from 1"):
        write_crm(tmp_path, scale=0)


def test_the_sample_is_as_large_as_the_demo_needs() -> None:
    counts = {name: len(rows(name)) for name in FILES[:4]}
    assert counts == {"sites": 420, "contacts": 2_100, "employees": 26, "deals": 630}


def test_references_are_unique_and_point_at_something() -> None:
    sites, contacts = set(values("sites", "site_ref")), set(values("contacts", "contact_ref"))
    owners, deals = set(values("employees", "employee_ref")), set(values("deals", "deal_ref"))
    assert [len(refs) for refs in (sites, contacts, owners, deals)] == [420, 2_100, 26, 630]
    assert set(values("contacts", "site_ref")) <= sites
    assert set(values("deals", "site_ref")) <= sites
    assert set(values("deals", "contact_ref")) <= contacts | {""}
    assert set(values("deals", "owner_ref")) <= owners


def test_a_deal_names_a_contact_of_its_own_site() -> None:
    home = {row["contact_ref"]: row["site_ref"] for row in rows("contacts")}
    deals = [row for row in rows("deals") if row["contact_ref"]]
    assert len(deals) > 500
    assert all(home[row["contact_ref"]] == row["site_ref"] for row in deals)


def test_addresses_are_reserved_ones_and_plain_ascii() -> None:
    addresses = [a for a in values("contacts", "email") + values("employees", "email") if a]
    assert all(address.endswith(".example") and address.isascii() for address in addresses)


def test_some_contacts_have_no_address_opted_out_or_share_one() -> None:
    addresses = values("contacts", "email")
    consent = Counter(values("contacts", "email_consent"))
    folded = Counter(address.lower() for address in addresses if address)
    assert 0.06 < addresses.count("") / len(addresses) < 0.10
    assert 0.02 < consent["no"] / len(addresses) < 0.05
    assert consent.keys() == {"yes", "no", ""}
    assert sum(1 for count in folded.values() if count > 1) >= 10
    assert sum(1 for address in addresses if address != address.lower()) >= 10


def test_postal_codes_belong_to_their_towns() -> None:
    towns = {town.name: town for town in TOWNS}
    for site in rows("sites"):
        town = towns[site["town"]]
        outward = site["postal_code"].split(" ")[0]
        assert (site["country"], outward in town.postal) == (town.country, True), site


def test_both_languages_and_their_accents_are_there() -> None:
    assert min(Counter(values("contacts", "language")).values()) > 500
    names = ("first_name", "last_name")
    text = "".join(value for name in names for value in values("contacts", name))
    assert set("éèêçœïôÉŒÓ") <= set(text)


def test_deal_figures_agree_with_their_status() -> None:
    for deal in rows("deals"):
        lowest, highest = STATUSES[deal["status"]][1]
        assert lowest <= int(deal["probability_percent"]) <= highest
        assert 0 < int(deal["margin_minor"]) < int(deal["revenue_minor"])
        assert date(2026, 1, 1) < date.fromisoformat(deal["expected_signature"])


def test_files_are_utf8_with_commas_only() -> None:
    for name in FILES:
        text = (CRM_DIR / f"{name}.csv").read_bytes().decode("utf-8")
        assert ";" not in text
        assert "\r" not in text
        assert not text.startswith("\ufeff")


def test_the_faulty_file_holds_good_rows_known_to_the_sample_and_one_row_per_fault() -> None:
    with (CRM_DIR / "contacts_with_errors.csv").open(encoding="utf-8", newline="") as file:
        faulty = list(csv.reader(file))[1:]
    with (CRM_DIR / "contacts.csv").open(encoding="utf-8", newline="") as file:
        known = {tuple(row) for row in csv.reader(file)}
    good = [row for row in faulty if tuple(row) in known]
    assert len(good) == GOOD_ROWS
    assert len(faulty) - len(good) == len(FAULTS) + 3  # a short, a long and a repeated row


def test_no_two_companies_share_a_name_or_a_domain() -> None:
    made = [company(index, language) for index in range(5_000) for language in ("fr", "en")]
    assert len({name for name, _ in made}) == len({domain for _, domain in made}) == 10_000


def test_no_two_employees_share_an_address() -> None:
    made = [employee(Random(1), index).email for index in range(5_000)]
    assert len(set(made)) == 5_000


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Œuvrard", "oeuvrard"), ("Ó Briain", "o-briain"), ("D'Almeida", "d-almeida"), ("Åé!", "ae")],
)
def test_names_lose_their_accents_in_addresses(name: str, plain: str) -> None:
    assert slug(name) == plain


def test_as_many_contacts_as_asked_for_are_the_first_of_any_scale(tmp_path: Path) -> None:
    written = write_crm(tmp_path / "few", contacts=2_500)
    assert 2_500 <= written.contacts < 2_510
    write_crm(tmp_path / "many", scale=2)
    few = (tmp_path / "few" / "crm" / "contacts.csv").read_text()
    assert (tmp_path / "many" / "crm" / "contacts.csv").read_text().startswith(few)
