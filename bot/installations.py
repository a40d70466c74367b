"""The workspaces that installed the bot, as slack_sdk asks for them: rows, their tokens sealed."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from logging import Logger, getLogger
from typing import Any, Final

import orjson
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from shared.logs import logger
from shared.sealing import WrongSecret, seal, unseal
from shared.uow import UnitOfWork

log = logger(__name__)

PURPOSE: Final = "slack installation"
STATE_FOR: Final = timedelta(minutes=10)


class Installations(AsyncInstallationStore):
    """Where bots are installed; users' own tokens are neither asked for nor kept."""

    def __init__(self, uow: UnitOfWork, secret: bytes) -> None:
        self._uow = uow
        self._secret = secret

    @property
    def logger(self) -> Logger:
        """The logger that slack_sdk asks for."""
        return getLogger("slack.installations")

    async def async_save(self, installation: Installation) -> None:
        """Keep what Slack gave when the bot was installed in a workspace, or installed again.

        Raises:
            ValueError: it is no workspace's.
        """
        team = installation.team_id
        if not team:
            message = "an installation needs its workspace"
            raise ValueError(message)
        given = installation.to_dict() | {"user_token": None, "user_refresh_token": None}
        plain = orjson.dumps(given, default=str)
        sealed = seal(self._secret, PURPOSE, plain, bound_to=team)
        async with self._uow.begin() as work:
            await work.connection.execute(
                "INSERT INTO slack_installations (team, name, sealed, installed_at)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT (team) DO UPDATE SET name = excluded.name,"
                " sealed = excluded.sealed, removed_at = NULL",
                team,
                installation.team_name or team,
                sealed,
                work.now,
            )
            # Whoever was gone with it is asked about again.
            await work.connection.execute(
                "UPDATE slack_people SET next_at = $2 WHERE team = $1", team, work.now
            )

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return a workspace's installation; ``None`` where there is none, or it is unreadable."""
        del enterprise_id, user_id
        if is_enterprise_install or not team_id:
            return None
        async with self._uow.begin() as work:
            sealed = await work.connection.fetchval(
                "SELECT sealed FROM slack_installations WHERE team = $1", team_id
            )
        return self._opened(team_id, sealed) if sealed else None

    async def async_find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        """Return the bot of a workspace's installation."""
        found = await self.async_find_installation(
            enterprise_id=enterprise_id,
            team_id=team_id,
            is_enterprise_install=is_enterprise_install,
        )
        return found.to_bot() if found else None

    async def async_delete_all(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Forget what Slack gave: the workspace took it back."""
        del enterprise_id
        async with self._uow.begin() as work:
            await work.connection.execute(
                "UPDATE slack_installations SET sealed = NULL, removed_at = $2 WHERE team = $1",
                team_id,
                work.now,
            )

    async def tokens(self) -> dict[str, str]:
        """Return the bot's token in each workspace that has it installed."""
        async with self._uow.begin() as work:
            rows = await work.connection.fetch(
                "SELECT team, sealed FROM slack_installations WHERE sealed IS NOT NULL"
            )
        found = {row["team"]: self._opened(row["team"], row["sealed"]) for row in rows}
        return {team: one.bot_token for team, one in found.items() if one and one.bot_token}

    def _opened(self, team: str, sealed: bytes) -> Installation | None:
        try:
            plain = unseal(self._secret, PURPOSE, bytes(sealed), bound_to=team)
        except WrongSecret:
            log.warning("slack.installation_unreadable", team=team, reason="install it again")
            return None
        given: dict[str, Any] = orjson.loads(plain)
        return Installation(**given)


class States(AsyncOAuthStateStore):
    """Installations begun, each known by a state that is good once."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    @property
    def logger(self) -> Logger:
        """The logger that slack_sdk asks for."""
        return getLogger("slack.states")

    async def async_issue(self, *_args: object, **_named: object) -> str:
        """Return a new state."""
        state = secrets.token_urlsafe(32)
        async with self._uow.begin() as work:
            await work.connection.execute(
                "DELETE FROM slack_oauth_states WHERE expires_at <= $1", work.now
            )
            await work.connection.execute(
                "INSERT INTO slack_oauth_states (state_sha256, expires_at) VALUES ($1, $2)",
                _digest(state),
                work.now + STATE_FOR,
            )
        return state

    async def async_consume(self, state: str) -> bool:
        """Whether a state was issued, is not too old, and was not used before."""
        async with self._uow.begin() as work:
            found = await work.connection.fetchval(
                "DELETE FROM slack_oauth_states WHERE state_sha256 = $1 AND expires_at > $2"
                " RETURNING true",
                _digest(state),
                work.now,
            )
        return bool(found)


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
