"""Three brokers of one instance, or one: who votes, under which cluster id, in which folders.

Three brokers are controllers too. Each must know all their ports before the first of them starts,
so the ports are drawn once for all and kept in ``kafka-quorum.json``. How many brokers an instance
has is settled at its first start: the metadata of one cluster cannot become another's.
"""

import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import free_port, is_free
from deploy.embedded.server import write_private

ALONE, MANY = 1, 3


def new_cluster_id() -> str:
    """Return a random id as Kafka wants it; never beginning with a dash, which tools dislike."""
    return f"M{urlsafe_b64encode(uuid.uuid4().bytes).decode('ascii').rstrip('=')[1:]}"


class Quorum:
    """The brokers of one instance's folder.

    Args:
        root: the instance's folder.
        wanted: 1 or 3; None takes what the folder has, one broker when it has none yet.

    Raises:
        EmbeddedError: the folder has another number of brokers than the wanted one.
    """

    def __init__(self, root: Path, wanted: int | None = None) -> None:
        if wanted not in {None, ALONE, MANY}:
            raise EmbeddedError(
                f"{wanted} brokers were asked for.", f"Ask for {ALONE}, or for {MANY}."
            )
        self._file = root / "kafka-quorum.json"
        found = _count_in(root, self._file)
        if wanted and found and wanted != found:
            raise EmbeddedError(
                f"{root} was set up with {found} Kafka broker{'s' * (found > 1)}, not {wanted}.",
                "Name another folder, or leave the number out to use what is there.",
            )
        self.count = wanted or found or ALONE
        self._root = root

    @property
    def nodes(self) -> tuple[int, ...]:
        """The brokers' ids, from 1 on."""
        return tuple(range(1, self.count + 1))

    def folder(self, node: int) -> Path:
        """Return a broker's folder."""
        return self._root / ("kafka" if self.count == ALONE else f"kafka-{node}")

    def settle(self, *, running: bool) -> None:
        """Draw the controllers' ports and the cluster's id, once.

        A port that somebody else took is drawn again, unless a broker is ``running``: the others
        must then find it where it is. Called under the lock of the root.
        """
        if self.count == ALONE:
            return
        known = self._read()
        ports = dict(known[1]) if known else {}
        drawn: dict[int, int] = {}
        for node in self.nodes:
            port = ports.get(node)
            while port is None or port in drawn.values() or not (running or is_free(port)):
                port = free_port()
            drawn[node] = port
        content = {"cluster_id": known[0] if known else new_cluster_id(), "controllers": drawn}
        write_private(self._file, json.dumps(content, indent=2) + "\n")

    @property
    def cluster_id(self) -> str:
        """The id all brokers format their storage with."""
        known = self._read()
        return known[0] if known else new_cluster_id()

    @property
    def controllers(self) -> Mapping[int, int]:
        """The controllers' ports by node; empty for a single broker, which draws its own."""
        known = self._read()
        return known[1] if known else {}

    def _read(self) -> tuple[str, Mapping[int, int]] | None:
        try:
            raw = json.loads(self._file.read_text(encoding="utf-8"))
            ports = {int(node): int(port) for node, port in raw["controllers"].items()}
            return str(raw["cluster_id"]), ports
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EmbeddedError(
                f"{self._file} cannot be read: {error}.",
                f"Put it back from a copy, or begin again in another folder than {self._root}.",
            ) from error


def _count_in(root: Path, file: Path) -> int | None:
    if file.exists():
        return MANY
    return ALONE if (root / "kafka" / "data").exists() else None
