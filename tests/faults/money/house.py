"""The house: an instance with budget and stock as processes, for one seed after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.budget.app import SERVICE as BUDGET
from services.cli import checking
from services.stock.app import SERVICE as STOCK
from tests.driving import OPERATORS, Rig, Spawn, Worker, rig
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics import names
from topics.names import Topic

SERVICES: Final = ("budget", "stock")
QUICK: Final = {"RELAY_LEASE_SECONDS": "1", "MUSTER_TEST_WORKFLOW_LEASE": "1"}
_WRITTEN: Final = (
    names.BUDGET_COMMANDS,
    names.BUDGET_EVENTS,
    names.BUDGET_STATE,
    names.STOCK_COMMANDS,
    names.STOCK_EVENTS,
    names.STOCK_STATE,
    names.OPERATORS_STATE,
    names.WORKFLOWS_COMMANDS,
    names.WORKFLOWS_EVENTS,
    names.WORKFLOWS_STATE,
    names.HEARTBEATS,
)


def topics_needed() -> list[Topic]:
    """Return what the house reads or writes, with few partitions."""
    registries = [*BUDGET.registries.values(), *STOCK.registries.values()]
    read = [topic for registry in registries for topic in registry.topics]
    few = [dataclasses.replace(one, partitions=2) for one in dict.fromkeys((*_WRITTEN, *read))]
    return few + [topic.dead_letters for topic in few]


@dataclass
class House:
    """A rig with the two services.

    Attributes:
        blamed: what broke in former seeds and stays broken: each is blamed for its own.
    """

    rig: Rig
    blamed: set[str] = field(default_factory=set)

    @property
    def hits(self) -> Path:
        """Where processes write which fault hit what."""
        return self.rig.folder / "hits"

    def start(self, service: str, **environment: str) -> Worker:
        """Start a process of a service."""
        more: dict[str, Any] = {"MUSTER_TEST_HITS": str(self.hits)}
        return self.rig.start(service, **(QUICK | more | environment))

    async def mend(self) -> None:
        """Bring back what a seed that went wrong left behind."""
        for service in SERVICES:
            worker = self.rig.workers.get((service, 1))
            if worker is None or not worker.alive:
                self.start(service)
        await self.rig.ready(*SERVICES)

    async def broken(self) -> list[str]:
        """Return what ``muster check`` finds in the two services' rows and topics."""
        verdicts = await checking.verdicts(self.rig.settings, SERVICES)
        return [line for verdict in verdicts for line in verdict.broken]


@asynccontextmanager
async def house(servers: Servers, folder: Path, spawn: Spawn) -> AsyncIterator[House]:
    """Yield a house with its files in a folder; it ends with the block."""
    async with (
        fresh_instance(servers) as instance,
        rig(instance, folder, topics=topics_needed(), services=SERVICES, spawn=spawn) as driven,
    ):
        made = House(driven)
        await made.mend()

        async def operators_known() -> bool:
            counts = [
                await driven.value(f"SELECT count(*) FROM {one}.operators") for one in SERVICES
            ]
            return all(count >= len(OPERATORS) for count in counts)

        await eventually(operators_known, what="the operators")
        yield made
