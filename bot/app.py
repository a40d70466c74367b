"""Plugs the bot together: a service that reads states and answers, and talks to Slack."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import (
    actions,
    answers,
    approvals,
    commands,
    course,
    course_buttons,
    events,
    filing,
    form_answers,
    fund_buttons,
    funds,
    handlers,
    http_mode,
    linking,
    occurrences,
    outside,
    socket_mode,
    stepping,
    stock_alerts,
    troubles,
    views,
)
from bot.front import Front
from bot.pictures import Pictures
from bot.posting import Poster
from bot.reminding import Reminding
from bot.settings import BotSettings
from bot.slack import web_client
from bot.workflows import WORKFLOWS
from shared.logs import logger
from shared.registry import Registry
from shared.service import Runtime, Service
from shared.supervision import Running

log = logger(__name__)

registry = Registry()
for part in (
    handlers,
    approvals,
    answers,
    form_answers,
    occurrences,
    outside,
    course,
    funds,
    linking,
    stock_alerts,
    troubles,
):
    registry.include(part.registry)


def slack_app(client: AsyncWebClient, settings: BotSettings, front: Front) -> AsyncApp:
    """Return the bolt app with every listener.

    It is installed in one workspace and knows its token: asking Slack who it is before each first
    acknowledgement would make a click wait on the Web API.
    """

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=client.token)

    secret = settings.slack_signing_secret
    app = AsyncApp(
        name="muster",
        logger=_bolt_logger(),
        client=AsyncWebClient(base_url=client.base_url, retry_handlers=[]),
        authorize=authorize,
        signing_secret=secret.get_secret_value() if secret else "",
    )
    for listeners in (
        *(commands, actions, views, stepping, filing),
        *(fund_buttons, course_buttons, outside, events),
    ):
        listeners.attach(app, front)
    return app


def _bolt_logger() -> logging.Logger:
    """Return bolt's logger without its remark that it does not use the token it found itself."""
    quiet = logging.getLogger("slack_bolt.muster")
    quiet.setLevel(logging.WARNING)
    quiet.addFilter(lambda record: "`token` will be unused" not in record.getMessage())
    return quiet


async def run_slack(runtime: Runtime, stop: asyncio.Event) -> None:
    """Post what is to be said and take what people do, until ``stop`` is set."""
    settings: Any = runtime.settings
    if not isinstance(settings, BotSettings):
        raise TypeError("the bot runs with BotSettings")
    if not settings.slack_is_on:
        log.info("slack.off", reason="no SLACK_BOT_TOKEN: only the read models are kept")
        await stop.wait()
        return
    async with web_client(settings) as client:
        poster = Poster(runtime.uow, client, settings)
        front = Front(runtime.uow, settings, whisper=poster.whisper, wake=poster.wake)
        app = slack_app(client, settings, front)
        async with runtime.uow.begin() as work:
            await approvals.show_missing(work)
        tasks: dict[str, Running] = {
            "posting": poster.run,
            "reminding": Reminding(runtime.uow, client, settings).run,
            "pictures": Pictures(runtime.uow, client, settings).run,
        }
        if settings.slack_mode == "http":
            tasks["slack over http"] = partial(http_mode.serve, app, settings, runtime.clock)
        else:
            tasks["slack over socket"] = partial(socket_mode.serve, app, settings)
        async with asyncio.TaskGroup() as group:
            for name, run in tasks.items():
                group.create_task(runtime.supervision.keep(name, run, stop))


SERVICE = Service(
    "bot",
    registry,
    Path(__file__).parent / "migrations",
    settings=BotSettings,
    workflows=WORKFLOWS,
    tasks=(run_slack,),
)
