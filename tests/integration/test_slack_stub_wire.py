"""Socket Mode frame by frame, on a plain WebSocket: what the app's library never shows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.embedded.slack import SlackStub, Workspace
from deploy.embedded.slack.deliveries import Patience
from deploy.embedded.slack.socket_mode import CONNECTIONS_PER_APP
from tests.waiting import PATIENCE


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[SlackStub]:
    async with SlackStub(tmp_path, patience=Patience(ack_seconds=0.3)) as running:
        yield running


@pytest.fixture
async def people(stub: SlackStub) -> AsyncIterator[Workspace]:
    async with stub.workspace() as workspace:
        yield workspace


@asynccontextmanager
async def a_socket(stub: SlackStub) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    headers = {"Authorization": f"Bearer {stub.seed.app.app_token}"}
    async with aiohttp.ClientSession() as session:
        opening = session.post(f"{stub.base_url}apps.connections.open", headers=headers)
        async with opening as answer:
            url = (await answer.json())["url"]
        assert url.startswith("ws://127.0.0.1:")
        async with session.ws_connect(url) as socket:
            yield socket


async def hello(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json(timeout=PATIENCE)
    assert frame["type"] == "hello"
    return frame


async def test_an_envelope_has_slacks_fields_and_its_ack_may_carry_a_payload(
    stub: SlackStub, people: Workspace
) -> None:
    async with a_socket(stub) as socket:
        greeting = await hello(socket)
        await people.wait_at_most(5)
        assert greeting["num_connections"] == 1
        assert greeting["connection_info"] == {"app_id": stub.seed.app.app_id}
        asked = asyncio.create_task(people.slash("manager", "/campaign", "list"))
        envelope = await socket.receive_json(timeout=PATIENCE)
        assert envelope["type"] == "slash_commands"
        assert envelope["accepts_response_payload"] is True
        assert envelope["payload"]["command"] == "/campaign"
        answer = {"envelope_id": envelope["envelope_id"], "payload": {"text": "None yet"}}
        await socket.send_json(answer)
        ack = await asked
    assert ack.payload == {"text": "None yet"}
    assert (await people.wait_for_ephemeral("manager")).text == "None yet"


async def test_an_event_takes_no_payload_and_numbers_its_retries(
    stub: SlackStub, people: Workspace
) -> None:
    async with a_socket(stub) as socket:
        await hello(socket)
        first = await people.home_opened("manager")
        assert not first.acknowledged
        sent = await socket.receive_json(timeout=PATIENCE)
        await people.wait_at_most(5)
        assert (sent["retry_attempt"], sent["retry_reason"]) == (0, "")
        asked = asyncio.create_task(people.redeliver(first, attempt=1, reason="timeout"))
        again = await socket.receive_json(timeout=PATIENCE)
        assert (again["retry_attempt"], again["retry_reason"]) == (1, "timeout")
        assert again["envelope_id"] == sent["envelope_id"]
        await socket.send_json({"envelope_id": again["envelope_id"], "payload": {"a": 1}})
        ack = await asked
    assert (ack.acknowledged, ack.payload) == (True, None)


async def test_a_leaving_connection_gets_nothing_new(stub: SlackStub, people: Workspace) -> None:
    async with a_socket(stub) as socket:
        await hello(socket)
        await people.disconnect("refresh_requested")
        frame = await socket.receive_json(timeout=PATIENCE)
        assert (frame["type"], frame["reason"]) == ("disconnect", "refresh_requested")
        ack = await people.slash("manager", "/campaign", "new")
        assert ack.problem == "the app is not connected"


async def test_nonsense_and_late_acks_do_no_harm(stub: SlackStub, people: Workspace) -> None:
    async with a_socket(stub) as socket:
        await hello(socket)
        await socket.send_str("not json")
        late = await people.slash("manager", "/campaign", "new")
        assert not late.acknowledged
        await people.wait_at_most(5)
        await socket.send_json({"envelope_id": late.delivery_id})
        asked = asyncio.create_task(people.slash("manager", "/campaign", "new"))
        await socket.receive_json(timeout=PATIENCE)
        envelope = await socket.receive_json(timeout=PATIENCE)
        await socket.send_json({"envelope_id": envelope["envelope_id"]})
        assert (await asked).acknowledged


async def test_one_connection_too_many_is_sent_away(stub: SlackStub, people: Workspace) -> None:
    async with _many(stub, CONNECTIONS_PER_APP):
        await people.wait_for_connection(CONNECTIONS_PER_APP)
        async with a_socket(stub) as socket:
            frame = await socket.receive_json(timeout=PATIENCE)
            assert frame["reason"] == "too_many_websockets"


@asynccontextmanager
async def _many(stub: SlackStub, count: int) -> AsyncIterator[None]:
    if not count:
        yield
        return
    async with a_socket(stub), _many(stub, count - 1):
        yield


async def test_a_made_up_ticket_is_refused(stub: SlackStub) -> None:
    address = f"{stub.url}/link/?ticket=mine".replace("http", "ws", 1)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address)
