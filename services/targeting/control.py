"""Control groups: who of a target gets nothing, drawn in one pass over its members. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from uuid import UUID

from shared.errors import Refused
from topics.targeting import ControlGroup, ControlMethod, ControlUnit


def size_of(group: ControlGroup | None, total: int) -> int:
    """Return how many of ``total`` members a control group takes.

    Raises:
        Refused: nobody would be left.
    """
    if group is None or group.method is ControlMethod.NONE:
        return 0
    size = total * group.size // 100 if group.unit is ControlUnit.PERCENT else group.size
    if size >= total:
        reason = f"a control group of {size} leaves nobody of {total}: make it smaller"
        raise Refused(reason, field="control_group")
    return size


@dataclass(slots=True)
class Draw:
    """Takes exactly ``wanted`` of ``total`` members that pass one by one, in the directory's order.

    At random, each set of that size is as likely as any other (Knuth, TAOCP 2, 3.4.2, algorithm S);
    the same seed over the same members takes the same ones. Those that were ``chosen`` before are
    taken in place of any other.
    """

    method: ControlMethod
    seed: str
    total: int
    wanted: int
    chosen: frozenset[UUID] | None = None
    taken: int = 0
    _seen: int = 0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def takes(self, member_id: UUID) -> bool:
        """Whether the next member is of the control group."""
        left = self.total - self._seen
        self._seen += 1
        open_ = self.wanted - self.taken
        if self.chosen is not None:
            taken = member_id in self.chosen
        else:
            taken = open_ > 0 and (
                self.method is ControlMethod.FIRST or self._chance.random() * left < open_
            )
        self.taken += taken
        return taken


def draw(group: ControlGroup | None, total: int) -> Draw:
    """Return the draw of a control group among ``total`` members.

    Raises:
        Refused: nobody would be left.
    """
    wanted = size_of(group, total)
    if group is None:
        return Draw(ControlMethod.NONE, "", total, 0)
    return Draw(group.method, group.seed, total, wanted)
