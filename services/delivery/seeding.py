"""Seeds in motion: beside a campaign's run, once its recipients are known, each address once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

from services.delivery.domain.runs import Reason, RunKind
from services.delivery.domain.seeds import merge_of_seed, why_not
from services.delivery.mail import is_address
from services.delivery.store.ledger import LedgerStore, NewRow
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.seeds import SeedStore
from shared.ids import recipient_key
from shared.uow import Work
from topics.delivery import Outcome, Seed

_NAME: Final = "seeds"


def why_no_seeds(seeds: Sequence[Seed]) -> str | None:
    """Return what is wrong with a list of seeds, in words; ``None`` when nothing is."""
    for number, seed in enumerate(seeds, 1):
        if not is_address(seed.address):
            return f"number {number} is no e-mail address"
    return why_not(seeds)


async def plant(work: Work, run: Run) -> None:
    """Hand a locked run's content to its campaign's seeds; done again, it adds nothing.

    A seed that the campaign reaches as a recipient, or reached before an edit, gets no second one.
    """
    if run.campaign_id is None or run.stop_reason is not None:
        return
    store = SeedStore(work.connection)
    seeds = {_key(work, seed): seed for seed in reversed(await store.of(run.campaign_id))}
    if not seeds:
        return
    beside = _beside(run, len(seeds))
    if not await RunStore(work.connection).add(beside, work.now):
        return
    reached = await store.reached(run.campaign_id, list(seeds))
    rows = []
    for key, seed in seeds.items():
        member_id = uuid5(beside.run_id, key)
        double = key in reached
        merge = {} if double else merge_of_seed(seed, await store.site(run, member_id.int))
        rows.append(_row(beside, member_id, key, seed.address, merge=merge, double=double))
    await LedgerStore(work.connection).add(rows, work.now)
    await RunStore(work.connection).mark(beside.run_id)


def _key(work: Work, seed: Seed) -> str:
    return recipient_key(work.settings.secret, "email", seed.address)


def _beside(run: Run, count: int) -> Run:
    return Run(
        run_id=uuid5(run.run_id, _NAME),
        kind=RunKind.SEEDS,
        state="started",
        campaign_id=run.campaign_id,
        campaign_number=run.campaign_number,
        campaign_label=run.campaign_label,
        delivery_id=run.delivery_id,
        template_hash=run.template_hash,
        content_hash=run.content_hash,
        snapshot_id=None,
        snapshot_hash=None,
        count=count,
        chunks=0,
        filled=True,
        retry_until=run.retry_until,
        paused=run.paused,
        seeds_of=run.run_id,
    )


def _row(
    run: Run, member_id: UUID, key: str, address: str, *, merge: dict[str, object], double: bool
) -> NewRow:
    return NewRow(
        run_id=run.run_id,
        member_id=member_id,
        recipient_key=key,
        address=address,
        merge=merge,
        outcome=Outcome.IGNORED if double else Outcome.PENDING,
        reason=Reason.DOUBLE if double else "",
    )
