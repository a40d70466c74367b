"""Kafka's own faults, each on servers of its own: a broker that dies for good, a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.brokers import can_mount, play_broker_death, play_full_disk
from tests.faults.checks import assert_holds

pytestmark = [pytest.mark.long, pytest.mark.asyncio, pytest.mark.timeout(300)]


async def test_one_broker_of_three_that_dies_for_good_costs_nothing(tmp_path: Path) -> None:
    assert_holds((await play_broker_death(tmp_path)).broken)


async def test_a_disk_that_fills_under_the_brokers_log_costs_nothing(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("a small file system cannot be mounted here: that takes root")
    assert_holds((await play_full_disk(tmp_path)).broken)
