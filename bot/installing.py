"""Workspaces install the bot: Slack's OAuth, version 2, for those that an administrator has named.

An installation is begun in a browser, comes back with a state that this browser was given and that
is good once, and is kept only for a workspace of ``SLACK_TEAMS``: whoever owns a workspace says who
its people are, addresses included.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.oauth import AuthorizeUrlGenerator, OAuthStateUtils
from slack_sdk.oauth.installation_store import Installation

from bot.channels import leave
from bot.installations import States
from bot.limits import Json
from bot.settings import BotSettings
from bot.slack import Denied, Limited, Lost, answered, web_client
from bot.words import say
from bot.workspaces import Workspaces
from shared.logs import logger
from shared.uow import UnitOfWork

log = logger(__name__)

INSTALL: Final = "/slack/install"
REDIRECT: Final = "/slack/oauth_redirect"
SCOPES: Final = (
    *("channels:history", "channels:read", "chat:write", "commands", "dnd:read", "files:read"),
    *("files:write", "groups:history", "groups:read", "im:history", "im:write"),
    *("metadata.message:read", "users:read", "users:read.email"),
)
EVENTS: Final = ("app_uninstalled", "tokens_revoked")


def attach(app: AsyncApp, workspaces: Workspaces, uow: UnitOfWork) -> None:
    """Register the events of a workspace that takes its installation back."""

    async def uninstalled(context: AsyncBoltContext) -> None:
        await _removed(workspaces, uow, context.team_id)

    async def revoked(context: AsyncBoltContext, event: Json) -> None:
        if (event.get("tokens") or {}).get("bot"):
            await _removed(workspaces, uow, context.team_id)

    app.event("app_uninstalled")(uninstalled)
    app.event("tokens_revoked")(revoked)


async def _removed(workspaces: Workspaces, uow: UnitOfWork, team_id: str | None) -> None:
    """Forget a workspace's token; what waits for its channels goes to the default one."""
    log.warning("slack.uninstalled", team=team_id)
    await workspaces.installations.async_delete_all(enterprise_id=None, team_id=team_id)
    async with uow.begin() as work:
        await leave(team_id or "", work)
    await workspaces.look()
    workspaces.wake()


class Installing:
    """The two pages of an installation."""

    def __init__(self, settings: BotSettings, workspaces: Workspaces, uow: UnitOfWork) -> None:
        self._settings = settings
        self._workspaces = workspaces
        self._states = States(uow)
        self._cookies = OAuthStateUtils()

    @property
    def routes(self) -> list[web.RouteDef]:
        """The pages' routes."""
        return [web.get(INSTALL, self.begin), web.get(REDIRECT, self.finish)]

    @property
    def _redirect_url(self) -> str:
        return self._settings.slack_redirect_url or (
            self._settings.public_url.rstrip("/") + REDIRECT
        )

    async def begin(self, _request: web.Request) -> web.StreamResponse:
        """Lead a browser to Slack, with a state of its own."""
        state = await self._states.async_issue()
        generator = AuthorizeUrlGenerator(
            client_id=self._settings.slack_client_id or "",
            redirect_uri=self._redirect_url,
            scopes=SCOPES,
            authorization_url=self._settings.slack_api_url.removesuffix("api/")
            + "oauth/v2/authorize",
        )
        answer = web.Response(status=302, headers={"Location": generator.generate(state)})
        answer.headers["Set-Cookie"] = self._cookies.build_set_cookie_for_new_state(state)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def finish(self, request: web.Request) -> web.StreamResponse:
        """Take what Slack gives a browser that comes back; say what became of it."""
        state, code = request.query.get("state", ""), request.query.get("code", "")
        headers: dict[str, Any] = {"cookie": request.headers.get("Cookie", "")}
        known = self._cookies.is_valid_browser(state, headers)
        if not known or not await self._states.async_consume(state):
            return self._page("install_state", 400)
        if not code:
            log.info("slack.not_allowed", reason=request.query.get("error", "")[:80])
            return self._page("install_denied", 400)
        try:
            given = await self._given(code)
        except (Denied, Limited, Lost) as problem:
            log.warning("slack.code_refused", reason=str(problem))
            return self._page("install_failed", 502)
        return await self._taken(given)

    async def _given(self, code: str) -> Json:
        secret = self._settings.slack_client_secret
        async with web_client(self._settings, "") as client:
            return await answered(
                client.oauth_v2_access(
                    client_id=self._settings.slack_client_id or "",
                    client_secret=secret.get_secret_value() if secret else "",
                    code=code,
                    redirect_uri=self._redirect_url,
                )
            )

    async def _taken(self, given: Json) -> web.StreamResponse:
        team = given.get("team") or {}
        team_id, token = str(team.get("id") or ""), str(given.get("access_token") or "")
        allowed = self._settings.slack_teams_allowed
        is_home = team_id == await self._workspaces.home_id()
        if not token or team_id not in allowed or is_home or given.get("is_enterprise_install"):
            log.warning("slack.install_refused", team=team_id)
            await self._give_back(token)
            return self._page("install_refused", 403, team=team_id)
        await self._workspaces.installations.async_save(_installation(given))
        await self._workspaces.look()
        log.info("slack.installed", team=team_id)
        return self._page("install_done", 200, team=str(team.get("name") or team_id))

    async def _give_back(self, token: str) -> None:
        """Have Slack forget a token that is not wanted."""
        if not token:
            return
        async with web_client(self._settings, token) as client:
            try:
                await answered(client.auth_revoke())
            except (Denied, Limited, Lost) as problem:
                log.warning("slack.not_revoked", reason=str(problem))

    def _page(self, key: str, status: int, **values: str) -> web.Response:
        text = say(self._settings.muster_language, key, **values)
        headers = {
            "Set-Cookie": self._cookies.build_set_cookie_for_deletion(),
            "Cache-Control": "no-store",
        }
        return web.Response(text=text, status=status, headers=headers)


def _installation(given: Json) -> Installation:
    team, user = given["team"], given.get("authed_user") or {}
    return Installation(
        app_id=given.get("app_id"),
        team_id=team["id"],
        team_name=team.get("name"),
        bot_token=given["access_token"],
        bot_user_id=given.get("bot_user_id"),
        bot_scopes=given.get("scope") or "",
        user_id=str(user.get("id") or ""),
        token_type=given.get("token_type"),
    )
