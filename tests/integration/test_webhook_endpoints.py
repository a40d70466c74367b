"""Endpoints of webhooks over HTTP and on the command line: registered, rotated, switched off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.delivery.app import SERVICE
from shared.http import create_app
from shared.identity import HEADER, issue
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.cli_shell import Shell, shell
from tests.integration.delivery_harness import MANAGER, actor, add_operators, operator
from tests.servers import Servers
from topics.operators import Role

ADMIN = uuid4()
WHERE = "/api/v1/delivery/webhooks"
SHOP = {"name": "shop", "url": "https://shop.example/hooks"}


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    found = await open_service(SERVICE)
    await add_operators(found)
    await found.execute(operator(ADMIN, Role.ADMINISTRATOR))
    return found


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://delivery") as made:
        yield made


def by(runtime: Runtime, who: UUID) -> dict[str, str]:
    token = issue(runtime.settings.secret, actor(who), audience="delivery", now=runtime.clock.now())
    return {HEADER: token}


async def test_a_secret_is_shown_when_it_is_made_and_never_again(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    admin = by(runtime, ADMIN)
    made = await client.post(WHERE, json=SHOP, headers=admin)
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    again = await client.post(WHERE, json=SHOP, headers=admin)
    assert (again.status_code, again.json()["field"]) == (409, "name")

    rotated = await client.post(f"{WHERE}/shop/rotation", headers=admin)
    assert rotated.json()["secret"] not in {secret, None}
    assert rotated.json()["previous_until"] is not None

    off = await client.patch(f"{WHERE}/shop", json={"active": False}, headers=admin)
    assert (off.json()["active"], off.json()["reason"]) == (False, "switched off")
    moved = await client.patch(f"{WHERE}/shop", json={"url": "https://new.example/"}, headers=admin)
    assert (moved.json()["active"], moved.json()["url"]) == (False, "https://new.example/")
    on = await client.patch(f"{WHERE}/shop", json={"active": True}, headers=admin)
    assert (on.json()["active"], on.json()["reason"]) == (True, "")

    listed = await client.get(WHERE, headers=by(runtime, MANAGER))
    assert [one["name"] for one in listed.json()] == ["shop"]
    assert "secret" not in listed.text


@pytest.mark.parametrize(
    ("call", "body", "field"),
    [
        (("POST", ""), {"name": "shop", "url": "http://127.0.0.1/"}, "url"),
        (("POST", ""), {"name": "Shop!", "url": "https://shop.example/"}, "name"),
        (("PATCH", "/shop"), {"url": "https://192.168.0.1/"}, "url"),
        (("PATCH", "/nobody"), {"active": True}, "name"),
        (("POST", "/nobody/rotation"), None, "name"),
    ],
)
async def test_an_unfit_endpoint_is_refused_at_its_field(
    client: httpx.AsyncClient, runtime: Runtime, call: Any, body: Any, field: str
) -> None:
    await client.post(WHERE, json=SHOP, headers=by(runtime, ADMIN))
    method, path = call
    answer = await client.request(method, WHERE + path, json=body, headers=by(runtime, ADMIN))
    assert (answer.status_code, answer.json()["field"]) == (409, field)
    refused = await client.request(method, WHERE + path, json=body, headers=by(runtime, MANAGER))
    assert refused.status_code == 403


@pytest.fixture
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("webhooks")) as made:
        assert made.muster("migrate").code == 0
        yield made


def test_the_command_line_registers_and_rotates(cli: Shell) -> None:
    assert "no endpoint" in cli.does("webhooks", "list")
    assert "whsec_" in cli.does("webhooks", "add", *SHOP.values())
    wrong = cli.muster("webhooks", "add", "other", "http://shop.example/")
    assert wrong.code != 0
    assert "url: has to begin with https://" in wrong.output + wrong.error
    assert "whsec_" in cli.does("webhooks", "rotate", "shop")
    assert "gets nothing" in cli.does("webhooks", "disable", "shop")
    assert "switched off" in cli.does("webhooks", "list")
    assert "again" in cli.does("webhooks", "enable", "shop")
    assert "https://new.example/" in cli.does("webhooks", "move", "shop", "https://new.example/")
    listed = cli.does("webhooks", "list")
    assert "new.example" in listed
    assert "whsec_" not in listed
