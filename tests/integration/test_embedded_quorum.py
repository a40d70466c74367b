"""How many brokers a folder has, and under which ports their controllers find each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import is_free
from deploy.embedded.quorum import Quorum


def test_a_folder_of_one_broker_does_not_become_three(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    assert Quorum(tmp_path).count == 1
    with pytest.raises(EmbeddedError, match="set up with 1 Kafka broker, not 3"):
        Quorum(tmp_path, 3)
    with pytest.raises(EmbeddedError, match="2 brokers were asked for"):
        Quorum(tmp_path, 2)


async def test_a_controllers_port_that_was_taken_is_drawn_again_only_before_the_first_start(
    tmp_path: Path,
) -> None:
    quorum = Quorum(tmp_path, 3)
    quorum.settle(running=False)
    before, cluster_id = dict(quorum.controllers), quorum.cluster_id
    other = await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.1", before[2])
    async with other:
        quorum.settle(running=True)
        assert quorum.controllers == before
        quorum.settle(running=False)
    assert {node for node in before if quorum.controllers[node] != before[node]} == {2}
    assert (quorum.cluster_id, Quorum(tmp_path).count) == (cluster_id, 3)
    assert is_free(quorum.controllers[2])
