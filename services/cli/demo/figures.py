"""A delivery's figures as programs read them: over web's API, with a token of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from services.cli.demo.stage import Stage
from services.cli.demo.telling import Telling
from services.cli.letters import opened
from services.web.tokens import make_token, revoke_token

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the API said of a delivery.

    Attributes:
        indicators: counted from rows when they were asked for.
        live: how the live view shows its runs, latest first.
    """

    indicators: Json
    live: list[Json]


async def read_figures(
    stage: Stage, telling: Telling, *, campaign_id: UUID, operator_id: UUID, opens: int
) -> Figures:
    """Return a campaign's indicators, and its live view once that has seen so many opens."""
    step = telling.step("Indicators over the API", 2)
    delivery_id = await stage.value(
        "SELECT delivery_id FROM delivery.deliveries WHERE campaign_id = $1", campaign_id
    )
    path = f"/api/v1/delivery/deliveries/{delivery_id}"
    async with api(stage, operator_id) as client:
        counted = await client.post(f"{path}/indicators")
        counted.raise_for_status()
        step.advance("counted from rows now")
        shown: list[Json] = []

        async def caught_up() -> bool:
            answer = await client.get(f"{path}/live")
            answer.raise_for_status()
            shown[:] = answer.json()
            return bool(shown) and shown[0]["total"]["opens"] >= opens

        await telling.until(caught_up, "the live view showing the opens", seconds=90)
        step.advance("the live view shows them too")
        return Figures(counted.json(), shown)


@asynccontextmanager
async def api(stage: Stage, operator_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of web's API; its token is revoked at the end."""
    async with opened("web") as web:
        async with web.uow.begin() as work:
            expires_at = work.now + timedelta(hours=1)
            made = await make_token(work, operator_id, ["write"], expires_at, name="demo")
        headers = {"Authorization": f"Bearer {made.plaintext}"}
        try:
            async with httpx.AsyncClient(base_url=stage.web_url, headers=headers) as client:
                yield client
        finally:
            async with web.uow.begin() as work:
                await revoke_token(work, made.token_id)
