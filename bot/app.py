"""Plugs the bot together: a service that reads states and answers, and talks to Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
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
    installing,
    levels,
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
from bot.settings import BotSettings
from bot.teams import qualify
from bot.workflows import WORKFLOWS
from bot.workspaces import Workspaces
from shared.logs import logger
from shared.registry import Registry
from shared.service import Runtime, Service
from shared.supervision import Running

log = logger(__name__)

Find = Callable[[str | None], Awaitable[tuple[str, str] | None]]
Next = Callable[[], Awaitable[Any]]
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
    levels,
    linking,
    stock_alerts,
    troubles,
):
    registry.include(part.registry)


def slack_app(settings: BotSettings, front: Front, find: Find) -> AsyncApp:
    """Return the bolt app with every listener.

    ``find`` returns a payload's workspace and its token: asking Slack who it is before each first
    acknowledgement would make a click wait on the Web API.
    """

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult | None:
        found = await find(team_id)
        if found is None:
            log.warning("slack.not_installed", team=team_id)
            return None
        team, token = found
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, team=team, bot_token=token
        )

    async def name_workspace(
        body: dict[str, Any],
        context: AsyncBoltContext,
        next: Next,  # noqa: A002 - bolt's name
    ) -> None:
        result = context.authorize_result
        qualify(body, context.team_id, str(result.team or "") if result else "")
        await next()

    secret = settings.slack_signing_secret
    app = AsyncApp(
        name="muster",
        logger=_bolt_logger(),
        client=AsyncWebClient(base_url=settings.slack_api_url, retry_handlers=[]),
        authorize=cast("Callable[..., Awaitable[AuthorizeResult]]", authorize),
        signing_secret=secret.get_secret_value() if secret else "",
    )
    app.middleware(name_workspace)
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
        log.info(
            "slack.off",
            reason="no SLACK_BOT_TOKEN or SLACK_CLIENT_ID: read models only",
        )
        await stop.wait()
        return
    workspaces = Workspaces(runtime, settings)
    front = Front(runtime.uow, settings, whisper=workspaces.whisper, wake=workspaces.wake)
    app = slack_app(settings, front, workspaces.find)
    async with runtime.uow.begin() as work:
        await approvals.show_missing(work)
    tasks: dict[str, Running] = {"workspaces": workspaces.run}
    routes = []
    if settings.slack_mode == "http":
        routes.append(http_mode.door_of(app, settings, runtime.clock))
    else:
        tasks["slack over socket"] = partial(socket_mode.serve, app, settings)
    if settings.slack_has_oauth:
        installing.attach(app, workspaces, runtime.uow)
        routes += installing.Installing(settings, workspaces, runtime.uow).routes
    if routes:
        tasks["slack over http"] = partial(http_mode.serve, routes, settings)
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
