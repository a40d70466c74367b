"""Which relay is asked, and which is left alone."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.delivery.domain.relays import Relay, parsed
from services.delivery.settings import DeliverySettings
from services.delivery.smtp.relays import Relays

ONE, TWO, THREE = Relay("a.example", 25), Relay("b.example", 25), Relay("c.example", 587)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def relays(clock: Clock) -> Relays:
    return Relays([ONE, TWO, THREE], clock=clock)


def test_relays_are_read_in_order() -> None:
    text = " a.example:25, [2001:db8::1]:587 ,"
    assert parsed(text) == (ONE, Relay("2001:db8::1", 587))
    assert ",".join(str(one) for one in parsed(text)) == "a.example:25,[2001:db8::1]:587"


@pytest.mark.parametrize(
    "text", ["a", "a:", ":25", "a:0", "a:65536", "a:x", "a:25,a:25", "2001:db8::1:25", "a:²"]
)
def test_what_is_no_relay_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|twice"):
        parsed(text)


def settings(**names: str) -> DeliverySettings:
    needed = {"database_url": "postgresql://x@y/z", "kafka_bootstrap": "x:1"}
    return DeliverySettings.model_validate({**needed, "muster_secret_key": "x" * 16, **names})


def test_without_a_list_the_one_relay_is_asked() -> None:
    assert settings(smtp_host="a.example", smtp_port="25").relays == (ONE,)
    assert settings(smtp_host="z.example", smtp_relays="b.example:25,a.example:25").relays == (
        TWO,
        ONE,
    )


def test_a_wrong_list_names_its_variable_when_the_process_starts() -> None:
    with pytest.raises(ValidationError, match="smtp_relays"):
        settings(smtp_relays="a.example")


def test_a_relay_that_failed_comes_last_for_thirty_seconds(relays: Relays, clock: Clock) -> None:
    relays.rest(ONE)
    clock.now += 2
    assert relays.in_order() == [TWO, THREE, ONE]
    assert relays.better_than(TWO) == []
    assert relays.resting() == [ONE]
    clock.now += 28
    assert relays.in_order() == [ONE, TWO, THREE]
    assert relays.better_than(THREE) == [ONE, TWO]


def test_when_all_rest_each_is_tried_once_a_second(relays: Relays, clock: Clock) -> None:
    for relay in (TWO, ONE, THREE):
        relays.rest(relay)
        clock.now += 0.25
    assert relays.in_order() == []
    clock.now += 0.25
    assert relays.in_order() == [TWO]
    clock.now += 1
    assert relays.in_order() == [TWO, ONE, THREE]


def test_one_connection_tries_a_relay_whose_rest_is_over(relays: Relays, clock: Clock) -> None:
    relays.rest(ONE)
    clock.now += 30
    relays.trying(ONE)
    assert relays.in_order() == [TWO, THREE]
    relays.well(ONE)
    assert relays.in_order() == [ONE, TWO, THREE]


def test_a_relay_that_never_failed_is_tried_by_all(relays: Relays) -> None:
    relays.trying(ONE)
    assert relays.in_order() == [ONE, TWO, THREE]
