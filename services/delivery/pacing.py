"""Limits of destinations' domains, kept by all senders together, in the claiming transaction.

What may not leave now waits in the queue until its minute or day; it is no attempt, and holds up
neither its slice nor any other domain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from services.delivery.domain.pace import allowed, next_times, unused
from services.delivery.domain.runs import RunKind
from services.delivery.store.pace import PaceStore
from services.delivery.store.sending import Claimed, SendingStore
from shared.uow import Work


async def paced(work: Work, rows: Sequence[Claimed]) -> list[Claimed]:
    """Return the rows whose domains may be sent now; the others wait in the queue.

    Proofs and single messages are counted, but never wait: somebody does.
    """
    by_domain: dict[str, list[Claimed]] = defaultdict(list)
    for row in rows:
        by_domain[row.address.rpartition("@")[2].lower()].append(row)
    store = PaceStore(work.connection)
    limited = await store.lock(by_domain.keys()) if rows else {}
    if not limited:
        return list(rows)
    held: list[Claimed] = []
    usages = []
    for domain, (limit, before) in limited.items():
        wanting = by_domain[domain]
        usage = (before or unused(work.now)).at(work.now)
        waiting = [row for row in wanting if row.kind is RunKind.CAMPAIGN]
        urgent = len(wanting) - len(waiting)
        granted = allowed(limit, usage.taking(urgent), len(waiting))
        usage = usage.taking(urgent + granted)
        usages.append((domain, usage))
        late = waiting[granted:]
        await SendingStore(work.connection).enqueue(
            [row.run_id for row in late],
            [row.member_id for row in late],
            [False] * len(late),
            next_times(limit, usage, len(late)),
        )
        held += late
    await store.use(usages)
    gone = {(row.run_id, row.member_id) for row in held}
    return [row for row in rows if (row.run_id, row.member_id) not in gone]
