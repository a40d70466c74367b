"""Several stub workspaces at one address, told apart by their token, as Slack's Web API is.

It also installs the app in them: ``/oauth/v2/authorize`` grants at once, for the workspace that is
set, and ``oauth.v2.access`` gives its token for the code, once.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from deploy.embedded.slack.stub import SlackStub
from deploy.embedded.slack.web_api import read_args

CLIENT_ID: Final = "1.stub"
CLIENT_SECRET: Final = "stub-client-secret"  # noqa: S105 - known to this stub alone
_KEPT: Final = ("Content-Type", "Retry-After")


class SlackTown:
    """Serves stubs that run already, while the context is open.

    Attributes:
        stubs: the workspaces.
        base_url: the Web API's address of all of them.
        installs: the workspace that the next one who installs the app is in.
        revoked: the tokens that the app gave back.
    """

    def __init__(self, stubs: Sequence[SlackStub]) -> None:
        self._by_token = {stub.seed.app.bot_token: stub for stub in stubs}
        self.stubs = tuple(stubs)
        self._codes: dict[str, SlackStub] = {}
        self.installs = stubs[0]
        self.revoked: list[str] = []
        self.base_url = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        site = web.Application(client_max_size=64 * 1024 * 1024)
        site.router.add_get("/oauth/v2/authorize", self._authorize)
        site.router.add_route("*", "/api/oauth.v2.access", self._access)
        site.router.add_route("*", "/api/auth.revoke", self._revoke)
        site.router.add_route("*", "/api/{method}", self._forward)
        self._runner = web.AppRunner(site, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/api/"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _authorize(self, request: web.Request) -> web.Response:
        code = secrets.token_hex(8)
        self._codes[code] = self.installs
        back = urlencode({"code": code, "state": request.query["state"]})
        return web.Response(
            status=302, headers={"Location": f"{request.query['redirect_uri']}?{back}"}
        )

    async def _access(self, request: web.Request) -> web.Response:
        args = await read_args(request)
        header = request.headers.get("Authorization", "")
        basic = "Basic " + b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        known = (args.get("client_id"), args.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        stub = self._codes.pop(str(args.get("code")), None)
        if stub is None or not (known or header == basic):
            return web.json_response({"ok": False, "error": "invalid_code"})
        seed = stub.seed
        return web.json_response(
            {
                "ok": True,
                "access_token": seed.app.bot_token,
                "token_type": "bot",
                "scope": str(args.get("scope", "")),
                "bot_user_id": seed.app.bot_user_id,
                "app_id": seed.app.app_id,
                "team": {"id": seed.team_id, "name": seed.team_name},
                "enterprise": None,
                "is_enterprise_install": False,
                "authed_user": {"id": seed.people[0].id},
            }
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.revoked.append(token)
        return web.json_response({"ok": True, "revoked": True})

    async def _forward(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        stub = self._by_token.get(token, self.stubs[0])
        headers = {
            name: request.headers[name]
            for name in ("Authorization", "Content-Type")
            if name in request.headers
        }
        async with self._session.request(
            request.method,
            f"{stub.base_url}{request.match_info['method']}",
            params=request.query,
            data=await request.read(),
            headers=headers,
        ) as answer:
            kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)
