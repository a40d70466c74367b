"""What answers over HTTP mean, how long a server is left alone, and which hosts are public."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.delivery.domain.runs import Verdict
from services.delivery.http import sms, webhook
from services.delivery.http.calling import Rest
from services.delivery.http.client import Reply, wait_of
from services.delivery.webhooks.addresses import ForbiddenAddress, PublicResolver, is_public

INVALID = frozenset({"invalid_number", "21211"})


@pytest.mark.parametrize(
    ("status", "body", "verdict", "reason"),
    [
        (200, b"", Verdict.SENT, ""),
        (202, b"not json", Verdict.SENT, ""),
        (400, b'{"code": 21211}', Verdict.FAILED, "invalid_number"),
        (404, b'{"error": "invalid_number"}', Verdict.FAILED, "invalid_number"),
        (400, b'{"code": true, "error": "x y"}', Verdict.FAILED, "refused_by_gateway: 400 x_y"),
        (422, b"[1]", Verdict.FAILED, "refused_by_gateway: 422"),
        (403, b"\xff", Verdict.FAILED, "refused_by_gateway: 403"),
        (401, b"", Verdict.DEFERRED, "unavailable: 401"),
        (302, b"", Verdict.DEFERRED, "unavailable: 302"),
        (429, b"", Verdict.DEFERRED, "unavailable: 429"),
        (409, b"", Verdict.DEFERRED, "unavailable: 409"),
        (503, b'{"code": "down"}', Verdict.DEFERRED, "unavailable: 503 down"),
    ],
)
def test_a_gateways_answer_means_what_was_written_down(
    status: int, body: bytes, verdict: Verdict, reason: str
) -> None:
    answer, why = sms.verdict_on(Reply(status, body), INVALID)
    assert (answer.verdict, why) == (verdict, reason)


def test_what_a_gateway_says_is_kept_short_and_as_one_word() -> None:
    body = orjson.dumps({"code": "a" * 100 + "\n<script>"})
    answer, _ = sms.verdict_on(Reply(400, body), INVALID)
    assert answer.code == "400 " + "a" * 40


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.SENT),
        (204, Verdict.SENT),
        (301, Verdict.FAILED),
        (400, Verdict.DEFERRED),
        (404, Verdict.DEFERRED),
        (410, Verdict.FAILED),
        (413, Verdict.FAILED),
        (429, Verdict.DEFERRED),
        (500, Verdict.DEFERRED),
    ],
)
def test_an_endpoints_answer_means_what_the_standard_says(status: int, verdict: Verdict) -> None:
    assert webhook.verdict_on(Reply(status))[0].verdict is verdict


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        (None, 0, 0),
        ("", 0, 0),
        ("soon", 0, 0),
        ("-3", 0, 0),
        ("120", 120, 120),
        ("9" * 30, 30 * 86_400, 30 * 86_400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 30 * 86_400, 30 * 86_400),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, low: float, high: float) -> None:
    assert low <= wait_of(header) <= high


def test_retry_after_a_date_is_until_then() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90))
    assert 60 <= wait_of(soon) <= 90


def test_a_rest_grows_with_each_trouble_and_ends_with_an_answer() -> None:
    now = [0.0]
    rest = Rest(lambda: now[0])
    lengths = []
    for _ in range(8):
        rest.trouble()
        rest.trouble()  # of a call that was under way with it
        lengths.append(rest.left)
        now[0] += rest.left
    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60]
    rest.well()
    rest.trouble(wait_seconds=5)
    assert rest.left == 5
    rest.well()
    assert rest.left == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:1.1.1.1", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::101:101", True),
        ("2002:7f00:1::", False),
    ],
)
def test_an_address_is_public_when_anybody_can_be_reached_there(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


class Answering(AbstractResolver):
    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts

    async def resolve(self, host: str, port: int = 0, family: int = 2) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=6, flags=0)
            for one in self._hosts
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_name_leads_to_its_public_addresses_alone() -> None:
    mixed = PublicResolver(Answering("10.0.0.1", "1.1.1.1", "127.0.0.1"))
    assert [one["host"] for one in await mixed.resolve("shop.example", 443)] == ["1.1.1.1"]
    with pytest.raises(ForbiddenAddress):
        await PublicResolver(Answering("10.0.0.1")).resolve("shop.example", 443)
    assert await PublicResolver(Answering()).resolve("shop.example", 443) == []
