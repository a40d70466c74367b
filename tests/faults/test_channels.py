"""A delivery process killed while an SMS gateway and a webhook's receiver have what it posted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.delivery import ambiguous, invariants
from services.delivery.app import SERVICE
from services.delivery.settings import DeliverySettings
from services.delivery.webhooks import keeping
from shared.service import Runtime, open_runtime
from tests.driving import MANAGER, OPERATORS, Rig, Worker, rig
from tests.faults.nursery import nursery
from tests.faults.world import manager
from tests.instances import fresh_instance
from tests.integration.http_sink import Sink, listening
from tests.servers import Servers
from tests.waiting import eventually
from topics.delivery import Channel, SaveTemplate, SendMessage
from topics.names import TOPICS
from topics.operators import OperatorState

QUICK = {
    "SENDER_LEASE_SECONDS": "1",
    "SENDER_RETRY_BASE_SECONDS": "0.1",
    "PROGRESS_SECONDS": "0.1",
    "WEBHOOK_ALLOW_PRIVATE": "true",
}


class Far:
    """What is at the far ends, and the service's rows, called as its command line calls them."""

    def __init__(self, driven: Rig, door: Runtime, gateway: Sink, shop: Sink) -> None:
        self.driven, self.door, self.gateway, self.shop = driven, door, gateway, shop

    def start(self, **more: str) -> Worker:
        variables: dict[str, Any] = {"SMS_GATEWAY_URL": self.gateway.url, **QUICK, **more}
        return self.driven.start("delivery", **variables)

    async def message(self, channel: Channel) -> UUID:
        template_id, message_id = uuid4(), uuid4()
        endpoint = "shop" if channel is Channel.WEBHOOK else ""
        await self.door.execute(
            SaveTemplate(
                template_id=template_id,
                actor=manager,
                label="Code",
                channel=channel,
                endpoint=endpoint,
                text="Code {{ ctx.code }}",
            )
        )
        await self.door.execute(
            SendMessage(
                message_id=message_id,
                template_id=template_id,
                channel=channel,
                address="+33612345678" if channel is Channel.SMS else "",
                recipient_key=uuid4().hex,
                ctx={"code": 1},
            )
        )
        return message_id

    async def ended(self, message_id: UUID, outcome: str) -> None:
        await eventually(
            lambda: self.door.pool.fetchval(
                "SELECT outcome = $2 FROM ledger WHERE run_id = $1", message_id, outcome
            ),
            what=f"the message being {outcome}",
        )

    async def broken(self) -> list[str]:
        async with self.door.pool.acquire() as connection:
            return await invariants.broken(connection)


@pytest.fixture
async def far(servers: Servers, tmp_path: Path) -> AsyncIterator[Far]:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(listening())
        shop = await stack.enter_async_context(listening())
        instance = await stack.enter_async_context(fresh_instance(servers))
        spawn = await stack.enter_async_context(nursery())
        topics = {*SERVICE.registries["delivery"].topics, *TOPICS}
        driven = await stack.enter_async_context(
            rig(instance, tmp_path, topics=[*topics], services=["delivery"], spawn=spawn)
        )
        settings = instance.settings(DeliverySettings, **{"SMS_GATEWAY_URL": gateway.url, **QUICK})
        door = await open_runtime(SERVICE, settings)
        stack.push_async_callback(door.pool.close)
        roles = OPERATORS[MANAGER]
        await door.execute(OperatorState(operator_id=MANAGER, version=1, name="M", roles=roles))
        async with door.uow.begin() as work:
            await keeping.add(work, name="shop", url=shop.url)
        yield Far(driven, door, gateway, shop)


@pytest.mark.long
async def test_what_a_killed_process_posted_is_in_doubt_by_sms_and_repeated_as_a_webhook(
    far: Far,
) -> None:
    sms = await far.message(Channel.SMS)
    hook = await far.message(Channel.WEBHOOK)
    far.gateway.will(far.gateway.hang)
    far.shop.will(far.shop.hang)
    started = far.start()
    await eventually(lambda: far.gateway.posted and far.shop.posted, what="both calls")
    started.kill()
    far.start()

    await far.ended(hook, "sent")
    await far.ended(sms, "ambiguous")
    assert [one.headers["webhook-id"] for one in far.shop.posted] == [str(hook)] * 2
    assert len(far.gateway.posted) == 1
    assert await far.broken() == []

    async with far.door.uow.begin() as work:
        assert await ambiguous.resend(work, run_id=sms) == 1
    await far.ended(sms, "sent")
    assert [one.headers["Idempotency-Key"] for one in far.gateway.posted] == [str(sms)] * 2
    assert far.gateway.posted[0].body == far.gateway.posted[1].body
    assert await far.broken() == []


@pytest.mark.long
async def test_a_process_killed_before_its_results_leaves_nothing_unsaid(far: Far) -> None:
    hook = await far.message(Channel.WEBHOOK)
    killed = far.start(MUSTER_FAULT="kill:sender.before_results:1")
    await eventually(lambda: not killed.alive, what="its death")
    assert len(far.shop.posted) == 1
    far.start()
    await far.ended(hook, "sent")
    assert [one.headers["webhook-id"] for one in far.shop.posted] == [str(hook)] * 2
    rows = await far.door.pool.fetch("SELECT outcome FROM attempts ORDER BY number")
    first, *between, last = [row["outcome"] for row in rows]
    assert (first, last) == ("ambiguous", "sent")
    # On a busy machine a claim's second may pass before the call: it is claimed anew.
    assert set(between) <= {"released"}
    assert await far.broken() == []
