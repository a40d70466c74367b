"""Counts of targets, against numbers worked out from the CSV files without the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from services.targeting.counting import count, run_one
from services.targeting.handlers import checked
from shared.errors import NotAllowed, Refused
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.targeting_world import (
    ITSELF,
    answers,
    counted,
    emitted,
    open_world,
    operator,
    sample,
    save,
    saved,
    where,
    work_off,
)
from topics.operators import Role
from topics.targeting import (
    Counts,
    CountTarget,
    Criterion,
    Operator,
    RecordConsent,
    TargetCounted,
    TargetCounts,
    TargetingKind,
    TargetingRefused,
    TargetingState,
    TargetRefused,
)

Row = dict[str, str]


class Crm:
    """The sample CRM in plain lists, and the waterfall worked out with sets."""

    def __init__(self) -> None:
        self.sites = {row["site_ref"]: row for row in sample("sites")}
        self.contacts = sample("contacts")
        self.deals = sample("deals")
        self.out = {
            row["email"].lower() for row in self.contacts if row["email_consent"] == "no"
        } - {""}

    def persons(self, contacts: Sequence[Row]) -> dict[str, int]:
        """Return the groups that contacts fall in, each once."""
        unique = {row["contact_ref"]: row["email"].lower() for row in contacts}
        addresses = {address for address in unique.values() if address}
        without = sum(1 for address in unique.values() if not address)
        return {
            "persons": len(unique),
            "without_email": without,
            "duplicates": len(unique) - without - len(addresses),
            "opted_out": len(addresses & self.out),
            "reachable": len(addresses - self.out),
        }

    def of_contacts(self, contacts: Sequence[Row], deals: Callable[[Row], bool]) -> TargetCounts:
        refs = {row["contact_ref"] for row in contacts}
        return TargetCounts(
            records=len(contacts),
            organisations=len({row["site_ref"] for row in contacts}),
            deals=sum(1 for deal in self.deals if deal["contact_ref"] in refs and deals(deal)),
            **self.persons(contacts),
        )

    def of_sites(
        self, refs: set[str], contacts: Callable[[Row], bool], deals: Callable[[Row], bool]
    ) -> TargetCounts:
        main: dict[str, Row] = {}
        for row in sorted(self.contacts, key=self._rank):
            if row["site_ref"] in refs and contacts(row):
                main.setdefault(row["site_ref"], row)
        return TargetCounts(
            records=len(refs),
            organisations=len(refs),
            deals=sum(1 for deal in self.deals if deal["site_ref"] in refs and deals(deal)),
            **self.persons(list(main.values())),
        )

    def _rank(self, row: Row) -> tuple[bool, bool, str]:
        address = row["email"].lower()
        return not address, address in self.out, row["contact_ref"]

    def of_deals(self, deals: Sequence[Row]) -> TargetCounts:
        refs = {deal["contact_ref"] for deal in deals}
        sites = len({deal["site_ref"] for deal in deals})
        return TargetCounts(
            records=sites,
            organisations=sites,
            deals=len(deals),
            **self.persons([row for row in self.contacts if row["contact_ref"] in refs]),
        )


def every(_: Row) -> bool:
    return True


def adds_up(counts: TargetCounts) -> bool:
    return counts.persons - counts.duplicates - counts.opted_out == (
        counts.reachable + counts.without_email
    )


async def test_counts_are_those_of_the_files(open_service: Open) -> None:
    runtime, crm = await open_world(open_service), Crm()
    french = where("site.country", Operator.EQUALS, "FR")
    won = where("deal.status", Operator.IN, "won", "negotiation")
    large = where("deal.revenue_minor", Operator.AT_LEAST, "2000000")
    speaking = where("contact.language", Operator.EQUALS, "fr")

    def is_french(row: Row) -> bool:
        return crm.sites[row["site_ref"]]["country"] == "FR"

    def is_won(deal: Row) -> bool:
        return deal["status"] in {"won", "negotiation"} and int(deal["revenue_minor"]) >= 2_000_000

    won_contacts = {deal["contact_ref"] for deal in crm.deals if is_won(deal)}
    won_sites = {deal["site_ref"] for deal in crm.deals if is_won(deal)}
    speakers = [row for row in crm.contacts if row["language"] == "fr"]
    cases: list[tuple[Counts, tuple[Criterion, ...], TargetCounts]] = [
        (Counts.CONTACTS, (), crm.of_contacts(crm.contacts, every)),
        (
            Counts.CONTACTS,
            (french,),
            crm.of_contacts([row for row in crm.contacts if is_french(row)], every),
        ),
        (
            Counts.CONTACTS,
            (won, large, french),
            crm.of_contacts(
                [r for r in crm.contacts if r["contact_ref"] in won_contacts and is_french(r)],
                is_won,
            ),
        ),
        (Counts.SITES, (), crm.of_sites(set(crm.sites), every, every)),
        (
            Counts.SITES,
            (speaking, won, large),
            crm.of_sites(
                won_sites & {row["site_ref"] for row in speakers},
                lambda row: row["language"] == "fr",
                is_won,
            ),
        ),
        (Counts.DEALS, (), crm.of_deals(crm.deals)),
        (Counts.DEALS, (won, large), crm.of_deals([d for d in crm.deals if is_won(d)])),
        (
            Counts.DEALS,
            (where("deal.expected_signature", Operator.AT_MOST, "2027-01-31"),),
            crm.of_deals([d for d in crm.deals if d["expected_signature"] <= "2027-01-31"]),
        ),
    ]
    for counts, criteria, expected in cases:
        found = await counted(runtime, await saved(runtime, *criteria, counts=counts))
        assert found == expected, (counts, criteria)
        assert adds_up(found)
        assert found.records > 0


COMPARISONS: list[tuple[Criterion, Callable[[Row], bool]]] = [
    (
        where("contact.job_title", Operator.CONTAINS, "RESPONSABLE"),
        lambda row: "responsable" in row["job_title"].lower(),
    ),
    (
        where("contact.last_name", Operator.STARTS_WITH, "de"),
        lambda row: row["last_name"].lower().startswith("de"),
    ),
    (where("contact.email", Operator.IS_EMPTY), lambda row: not row["email"]),
    (where("contact.mobile", Operator.IS_SET), lambda row: bool(row["mobile"])),
    (
        where("contact.first_name", Operator.NOT_EQUALS, "Camille"),
        lambda row: row["first_name"] != "Camille",
    ),
    (where("contact.first_name", Operator.CONTAINS, "%"), lambda _: False),
]


async def test_each_comparison_chooses_what_it_says(open_service: Open) -> None:
    runtime, crm = await open_world(open_service), Crm()
    for criterion, matches in COMPARISONS:
        definition = checked(Counts.CONTACTS, TargetingKind.CRITERIA, (criterion,), None)
        expected = crm.of_contacts([row for row in crm.contacts if matches(row)], every)
        assert await count(runtime, definition, seconds=10) == expected, criterion


async def test_an_opt_out_moves_one_person_from_reachable_to_opted_out(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    before = await counted(runtime, targeting_id)
    address = sample("contacts")[0]["email"]
    key = recipient_key(SECRET.encode(), "email", address)
    await runtime.execute(
        RecordConsent(recipient_key=key, opted_out=True, actor=ITSELF, at=runtime.clock.now())
    )
    after = await counted(runtime, targeting_id)
    assert (after.opted_out, after.reachable) == (before.opted_out + 1, before.reachable - 1)
    assert adds_up(after)


async def test_a_target_that_nobody_is_in_counts_zero(open_service: Open) -> None:
    runtime = await open_world(open_service)
    nowhere = where("site.town", Operator.EQUALS, "Nowhere")
    assert await counted(runtime, await saved(runtime, nowhere)) == TargetCounts()


async def test_an_unknown_targeting_is_waited_for_and_then_refused(open_service: Open) -> None:
    runtime = await open_world(open_service, TARGETING_WAIT_SECONDS="0")
    command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
    await runtime.execute(command)
    await work_off(runtime)
    [refused] = await answers(runtime, TargetRefused)
    assert refused == TargetRefused(
        campaign_id=command.campaign_id,
        targeting_id=command.targeting_id,
        reason="there is no such targeting: choose another one",
    )
    patient = await open_again(runtime)
    await runtime.execute(command)
    assert await run_one(patient, "count")
    assert not await emitted(runtime)
    assert await runtime.pool.fetchval("SELECT not_before > now() FROM target_jobs")


async def open_again(runtime: Runtime) -> Runtime:
    """Return a second runtime over the same pool, with the usual patience."""
    settings = runtime.settings.model_copy(update={"targeting_wait_seconds": 10.0})
    return Runtime(runtime.service, settings, runtime.pool)


async def test_a_count_asked_for_twice_is_answered_once_and_with_the_latest(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    command = CountTarget(campaign_id=uuid4(), targeting_id=await saved(runtime))
    await emitted(runtime)
    await runtime.execute(command)
    await runtime.execute(command)
    await work_off(runtime)
    assert len(await answers(runtime, TargetCounted)) == 1
    assert await runtime.pool.fetchval("SELECT count(*) FROM target_jobs") == 0


async def test_saving_needs_the_right_and_direct_sql_a_right_of_its_own(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    reviewer = await operator(runtime, Role.REVIEWER)
    manager = await operator(runtime, Role.MANAGER)
    administrator = await operator(runtime, Role.ADMINISTRATOR)
    sql = "select contact_id from contacts"
    for actor, text, kind in (
        (reviewer, None, TargetingRefused),
        (manager, None, TargetingState),
        (manager, sql, TargetingRefused),
        (administrator, sql, TargetingState),
    ):
        [answer] = await save(runtime, sql=text, actor=actor)
        assert type(answer) is kind, (actor, text)
    assert await runtime.pool.fetchval("SELECT count(*) FROM targetings") == 2
    with pytest.raises(NotAllowed):
        await runtime.execute(
            RecordConsent(recipient_key="k", opted_out=True, actor=reviewer, at=runtime.clock.now())
        )


async def test_the_same_targeting_saved_twice_keeps_its_version(open_service: Open) -> None:
    runtime = await open_world(open_service)
    targeting_id = uuid4()
    lyon, paris = (where("site.town", Operator.EQUALS, town) for town in ("Lyon", "Paris"))
    versions = []
    for criterion in (lyon, lyon, paris, paris):
        [state] = await save(runtime, criterion, targeting_id=targeting_id)
        assert isinstance(state, TargetingState)
        versions.append(state.version)
    assert versions == [1, 1, 2, 2]


async def test_a_targeting_that_makes_no_sense_is_refused_with_its_field(
    open_service: Open,
) -> None:
    runtime = await open_world(open_service)
    town = where("site.town", Operator.EQUALS, "x")
    unknown = where("site.nothing", Operator.EQUALS, "x")
    for criteria, sql, field in (
        ((unknown,), None, "criteria.0"),
        ((town, unknown), None, "criteria.1"),
        ((town,), "select site_id from sites", "criteria"),
        ((), "delete from sites", "sql"),
    ):
        [refused] = await save(runtime, *criteria, sql=sql)
        assert isinstance(refused, TargetingRefused)
        assert refused.field == field
    assert await runtime.pool.fetchval("SELECT count(*) FROM targetings") == 0


async def test_a_count_that_takes_too_long_is_refused(open_service: Open) -> None:
    runtime = await open_world(open_service)
    definition = checked(Counts.CONTACTS, TargetingKind.CRITERIA, (), None)
    with pytest.raises(Refused, match="takes too long to count"):
        await count(runtime, definition, seconds=0.001)
    assert (await count(runtime, definition, seconds=10)).records == 2_100
