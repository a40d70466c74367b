"""Seeds beside a campaign: they get its message once, and count nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from deploy.embedded.mail.faults import Action, FaultRule
from services.delivery.api_seeds import SeedList, remove_seeds, save_seeds, seeds
from services.delivery.erase import erase
from services.delivery.seeding import plant
from services.delivery.store.indicators import IndicatorStore
from services.delivery.store.lists import Lists
from services.delivery.store.runs import RunStore
from services.delivery.wire import RunView
from shared.errors import NotAllowed, Refused
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    actor,
    approved,
    checked,
    finished,
    member,
    part,
    prepare,
    sending,
    work_off,
)
from tests.waiting import eventually
from topics.delivery import (
    DeliveryCounts,
    Outcome,
    PauseDelivery,
    ResumeDelivery,
    Seed,
    StopDelivery,
    TemplateRefused,
)
from topics.targeting import ConsentChanged

SEED = Seed(address="Seed@own.example", fields={"contact.first_name": "Cy"})


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> AsyncIterator[Runtime]:
    async with checked(
        open_service, catcher, SENDER_RETRY_BASE_SECONDS="0.05", SENDER_CONNECTIONS="1"
    ) as made:
        yield made


async def shown(runtime: Runtime, case: Case) -> RunView:
    async with runtime.pool.acquire() as connection:
        (run,) = await Lists(connection, addresses=True).runs(case.delivery_id)
    return run


async def of_seeds(runtime: Runtime, case: Case) -> list[tuple[str, str, int]]:
    """Return what became of a run's seeds: outcome, reason and how many."""
    run = await shown(runtime, case)
    return [(g.outcome, g.reason, g.recipients) for g in run.seeds.groups] if run.seeds else []


async def are(runtime: Runtime, case: Case, *expected: tuple[str, str, int]) -> None:
    async def there() -> bool:
        return await of_seeds(runtime, case) == list(expected)

    await eventually(there, what=f"seeds: {expected}")


def key_of(address: str) -> str:
    return recipient_key(SECRET.encode(), "email", address)


async def test_the_templates_seeds_get_the_message_with_their_own_fields_and_count_nowhere(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("ada@x.example"), member("bob@x.example")])
    async with sending(runtime):
        await approved(runtime, case, service=False, seeds=(SEED,), track_clicks=True)
        await runtime.execute(case.start())
        end = await finished(runtime, case)
        await are(runtime, case, ("sent", "", 1))
    assert end.counts == DeliveryCounts(targeted=2, sent=2, emails_sent=2)
    (mail,) = await catcher.to("Seed@own.example")
    assert mail["Subject"] == "Hello Cy"
    assert "Moulin &lt;Neuf&gt;" in part(mail, "html")
    async with runtime.pool.acquire() as connection:
        counted = await IndicatorStore(connection).counted(case.delivery_id)
    assert counted is not None
    assert sum(counted.rows.values()) == 2
    run = await shown(runtime, case)
    assert run.seeds is not None
    async with runtime.pool.acquire() as connection:
        lists = Lists(connection, addresses=True)
        (row,) = await lists.recipients(run.seeds.run_id, outcome=None, after=None, limit=9)
        others = await lists.recipients(case.run_id, outcome=None, after=None, limit=9)
    assert (row.seed, row.address, row.outcome) == (True, "Seed@own.example", Outcome.SENT)
    assert not any(other.seed for other in others)
    state = await runtime.pool.fetchval(
        "SELECT state FROM runs WHERE run_id = $1", run.seeds.run_id
    )
    assert state == "finished"


async def test_a_seed_that_is_a_recipient_opted_out_or_planted_twice_gets_no_second_message(
    runtime: Runtime, catcher: Catcher
) -> None:
    case = Case([member("ada@x.example")])
    await runtime.execute(
        ConsentChanged(
            recipient_key=key_of("out@own.example"), opted_out=True, at=runtime.clock.now()
        )
    )
    both = Seed(address="ADA@x.example"), Seed(address="out@own.example")
    await save_seeds(case.campaign_id, SeedList(seeds=(SEED, SEED, *both)), actor(MANAGER), runtime)
    async with sending(runtime):
        await approved(runtime, case, service=False, seeds=(Seed(address="not@own.example"),))
        await runtime.execute(case.start())
        await finished(runtime, case)
        out = ("ignored", "opted_out", 1)
        await are(runtime, case, ("ignored", "double", 1), out, ("sent", "", 1))
        async with runtime.uow.begin() as work:
            run = await RunStore(work.connection).lock(case.run_id)
            assert run is not None
            await plant(work, run)
            # As another run of the campaign would, after an edit.
            await plant(work, replace(run, run_id=uuid4()))
    assert sorted(to for to, _ in await catcher.listed() if "proof" not in to) == [
        "Seed@own.example",
        "ada@x.example",
    ]


async def test_seeds_wait_and_end_with_their_campaign_and_do_not_hold_others_up(
    runtime: Runtime,
) -> None:
    paused, other = Case([member("ada@x.example")]), Case([member("bob@x.example")])
    async with sending(runtime):
        await approved(runtime, paused, service=False, seeds=(SEED,))
        await approved(runtime, other, service=False)
    await runtime.execute(paused.start())
    await runtime.execute(PauseDelivery(campaign_id=paused.campaign_id, actor=actor(MANAGER)))
    await work_off(runtime)
    async with sending(runtime):
        # The only connection asks for urgent messages first.
        await runtime.execute(other.start())
        await finished(runtime, other)
        assert await of_seeds(runtime, paused) == [("pending", "", 1)]
        await runtime.execute(ResumeDelivery(campaign_id=paused.campaign_id, actor=actor(MANAGER)))
        await are(runtime, paused, ("sent", "", 1))


async def test_a_stop_ends_the_seeds_that_wait_as_well(runtime: Runtime, catcher: Catcher) -> None:
    case = Case([member("ada@x.example")])
    catcher.misbehave(FaultRule(action=Action.REFUSE_RECIPIENT, recipient="*@*.test", code=451))
    async with sending(runtime):
        await approved(runtime, case, service=False, seeds=(Seed(address="a@own.test"),))
        await runtime.execute(case.start())
        await finished(runtime, case)

        async def tried() -> bool:
            found: bool = await runtime.pool.fetchval(
                "SELECT attempts > 0 FROM ledger WHERE address = 'a@own.test'"
            )
            return found

        await eventually(tried, what="an attempt")
        stop = StopDelivery(campaign_id=case.campaign_id, reason="enough", actor=actor(MANAGER))
        await runtime.execute(stop)
        await are(runtime, case, ("ignored", "stopped: enough", 1))


async def test_a_seed_is_forgotten_in_lists_and_rows(runtime: Runtime) -> None:
    case = Case([member("ada@x.example")])
    await save_seeds(case.campaign_id, SeedList(seeds=(SEED,)), actor(MANAGER), runtime)
    async with sending(runtime):
        await approved(runtime, case, service=False, seeds=(SEED, Seed(address="b@own.example")))
        await runtime.execute(case.start())
        await finished(runtime, case)
        await are(runtime, case, ("sent", "", 1))
    async with runtime.uow.begin() as work:
        assert await erase(work, key_of(SEED.address), SEED.address) >= 3
    assert (await seeds(case.campaign_id, actor(MANAGER), runtime)).seeds == ()
    await remove_seeds(case.campaign_id, actor(MANAGER), runtime)
    left = await seeds(case.campaign_id, actor(MANAGER), runtime)
    assert [one.address for one in left.seeds] == ["b@own.example"]
    found = await runtime.pool.fetchval(
        "SELECT count(*) FROM ledger WHERE lower(address) = 'seed@own.example'"
    )
    assert found == 0


async def test_seeds_without_an_address_or_with_unknown_fields_are_refused(
    runtime: Runtime,
) -> None:
    case = Case([])
    await prepare(runtime, case)
    for seed in (Seed(address="nobody"), Seed(address="a@x.example", fields={"contact.age": "9"})):
        with pytest.raises(Refused, match="number 1"):
            await save_seeds(case.campaign_id, SeedList(seeds=(seed,)), actor(MANAGER), runtime)
        [refused] = await runtime.execute(case.template(seeds=(seed,)))
        assert isinstance(refused, TemplateRefused)
        assert refused.field == "seeds"
    with pytest.raises(NotAllowed):
        await save_seeds(case.campaign_id, SeedList(seeds=()), actor(REVIEWER), runtime)
