"""How long the bot's screens take over 1,000 open campaigns and 10,000 pending approvals."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import asyncpg

from bot.app import SERVICE
from bot.approval_list import approval_list
from bot.asked import CampaignFilter
from bot.cards import Setting
from bot.home import home_view
from bot.lists import campaign_list
from bot.reading import Reading, Which
from bot.roster import Roster
from bot.settings import BotSettings
from shared.service import Runtime, open_runtime
from shared.uow import Work
from tests.bench.databases import instance
from tests.bench.results import Figure
from tests.servers import Servers
from tests.unit.bot import samples

CAMPAIGNS: Final = 1_000
APPROVALS: Final = 10_000
CEILING_MS: Final = 1_000.0
ME: Final = str(samples.REVIEWER.operator_id)

_CAMPAIGNS: Final = """
INSERT INTO bot.campaigns (campaign_id, version, number, state, status, manager_id)
SELECT gen_random_uuid(), 1, n, $1::jsonb || jsonb_build_object('number', n), 'running', $2
FROM generate_series(1, $3::int) n
"""
# One in ten is for the reviewer measured; each has a reminder that is due.
_APPROVALS: Final = """
WITH made AS (
    INSERT INTO bot.approvals (approval_id, version, campaign_id, state, outcome, deadline_at,
                               requested_by, reviewers)
    SELECT gen_random_uuid(), 1, gen_random_uuid(),
           $1::jsonb || jsonb_build_object('campaign_number', n), 'pending',
           now() + n * interval '1 minute', 'somebody',
           CASE WHEN n % 10 = 0 THEN ARRAY[$2::text] ELSE ARRAY['another'] END
    FROM generate_series(1, $3::int) n
    RETURNING approval_id)
INSERT INTO bot.reminders (approval_id, revision, number, operator_id, next_at)
SELECT approval_id, 1, 1, $2, now() - interval '1 minute' FROM made
"""
Screen = Callable[[Work], Awaitable[object]]


async def measure(servers: Servers, *, runs: int) -> list[Figure]:
    """Measure each screen ``runs`` times, its query and its blocks together."""
    async with instance(servers, SERVICE) as (settings, owner):
        runtime = await open_runtime(SERVICE, settings)
        try:
            await _fill(runtime, owner)
            return [
                Figure(
                    f"screens.{name}_ms",
                    "ms",
                    [await _timed(runtime, screen) for _ in range(max(runs, 5))],
                    None,
                    f"one query over {CAMPAIGNS:,} campaigns and {APPROVALS:,} pending approvals;"
                    f" the bar is {CEILING_MS:,.0f} ms",
                )
                for name, screen in _screens(runtime).items()
            ]
        finally:
            await runtime.pool.close()


async def _fill(runtime: Runtime, owner: asyncpg.Connection[asyncpg.Record]) -> None:
    for operator in samples.OPERATORS:
        await runtime.execute(operator)
    sums = samples.sums(targeted=10, messages_targeted=10, messages_sent=4, messages_pending=6)
    campaign = samples.a_campaign(status="running", synthesis=sums).model_dump_json()
    await owner.execute(_CAMPAIGNS, campaign, ME, CAMPAIGNS)
    approval = samples.an_approval(deadline_at=samples.NOW + timedelta(days=9)).model_dump_json()
    await owner.execute(_APPROVALS, approval, ME, APPROVALS)
    await owner.execute("ANALYZE bot.campaigns, bot.approvals, bot.reminders")


def _screens(runtime: Runtime) -> dict[str, Screen]:
    settings = runtime.settings
    if not isinstance(settings, BotSettings):
        raise TypeError("the bot runs with BotSettings")
    setting = Setting("fr", settings.zone, settings.public_url)

    async def listed(work: Work) -> object:
        wanted = CampaignFilter.of_words("mine running spring")
        return campaign_list(await Reading(work.connection).campaigns(wanted, ME), setting)

    async def approvals(work: Work) -> object:
        reading = Reading(work.connection)
        page = await reading.approvals(Which.MINE, ME, work.now, may_approve=True)
        return approval_list(page, {}, setting, now=work.now)

    async def home(work: Work) -> object:
        seen = await Reading(work.connection).overview(ME, may_approve=True)
        return home_view(seen, {}, setting, now=work.now, may_control=True)

    async def sweep(work: Work) -> object:
        return await Roster(work.connection).sweep(work.now)

    return {"campaign_list": listed, "approvals": approvals, "home": home, "reminder_sweep": sweep}


async def _timed(runtime: Runtime, screen: Screen) -> float:
    started = time.perf_counter()
    async with runtime.uow.begin() as work:
        await screen(work)
    return (time.perf_counter() - started) * 1000
