"""The servers of one instance, started and stopped together: Kafka, PostgreSQL, mail catcher."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.embedded.catcher import EmbeddedMail
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.guard import Guard
from deploy.embedded.kafka import EmbeddedKafka
from deploy.embedded.locks import folder_lock
from deploy.embedded.paths import default_root, make_folder
from deploy.embedded.ports import HOST
from deploy.embedded.postgres import DEFAULT_VERSION, EmbeddedPostgres
from deploy.embedded.process import ProcessId
from deploy.embedded.quorum import Quorum
from deploy.embedded.server import EmbeddedServer


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server as it is now. ``pid`` is None when it does not run."""

    name: str
    pid: int | None
    ports: Mapping[str, int]
    answers: bool
    log: Path


class EmbeddedCluster:
    """The servers that belong to one folder.

    Several processes may share a folder: who starts second uses what runs, with the settings it
    was started with.

    Args:
        root: the instance's folder, ``.muster`` of the working folder when not given.
        kafka: whether Kafka is wanted.
        brokers: one Kafka broker or three; what the folder has when not given, else one.
        postgres: whether PostgreSQL is wanted.
        mail: whether the mail catcher is wanted.
        detach: True: the servers outlive this process until somebody stops them. False: those that
            this object starts end with this process, even when it is killed.
        postgres_version: 16 or 18.
        kafka_settings: broker settings added to ours, or replacing them.
        postgres_settings: server settings added to ours, or replacing them.
        ports: ports to insist on: ``kafka``, ``postgres``, ``smtp``, ``http``; others are drawn
            once and remembered.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        kafka: bool = True,
        brokers: int | None = None,
        postgres: bool = True,
        mail: bool = True,
        detach: bool = True,
        postgres_version: int = DEFAULT_VERSION,
        kafka_settings: Mapping[str, str] | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self.root = make_folder(root or default_root())
        self.detach = detach
        self._guard: Guard | None = None
        asked = dict(ports or {})
        self._quorum = Quorum(self.root, brokers)
        self.brokers = tuple(
            EmbeddedKafka(
                self._quorum.folder(node),
                node=node,
                quorum=self._quorum,
                settings=kafka_settings,
                ports=_only(asked, port="kafka" if node == 1 else f"kafka-{node}"),
            )
            for node in self._quorum.nodes
        )
        self.postgres = EmbeddedPostgres(
            self.root / "postgres",
            version=postgres_version,
            settings=postgres_settings,
            ports=_only(asked, port="postgres"),
        )
        self.mail = EmbeddedMail(self.root / "mail", _only(asked, smtp="smtp", http="http"))
        self.servers: tuple[EmbeddedServer, ...] = (
            *(self.brokers if kafka else ()),
            *((self.postgres,) if postgres else ()),
            *((self.mail,) if mail else ()),
        )

    # -- addresses

    @property
    def kafka_bootstrap(self) -> str:
        """The addresses of Kafka's brokers, ``host:port[,host:port…]``."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    @property
    def database_url(self) -> str:
        """The owner's URL of the database, password included; the owner is a superuser."""
        return self.postgres.url()

    @property
    def smtp_host(self) -> str:
        """The host of the mail catcher's SMTP side."""
        return HOST

    @property
    def smtp_port(self) -> int:
        """The port of the mail catcher's SMTP side."""
        return self.mail.smtp_port

    @property
    def mail_url(self) -> str:
        """The address of the mail catcher's page and JSON interface."""
        return self.mail.url

    def environment(self) -> dict[str, str]:
        """Return the settings that point a service at the wanted servers."""
        found: dict[str, str] = {}
        if self.brokers[0] in self.servers:
            found["KAFKA_BOOTSTRAP"] = self.kafka_bootstrap
        if self.postgres in self.servers:
            found["DATABASE_URL"] = self.database_url
        if self.mail in self.servers:
            found["SMTP_HOST"] = self.smtp_host
            found["SMTP_PORT"] = str(self.smtp_port)
            found["MAIL_URL"] = self.mail_url
        return found

    # -- together

    async def start(self) -> None:
        """Start what does not run yet and return once everything answers.

        When one fails, what this call started is stopped again.

        Raises:
            EmbeddedError: what happened and what to do.
        """
        async with self._lock():
            before = {server for server in self.servers if server.running()}
            self._quorum.settle(running=any(broker in before for broker in self.brokers))
            try:
                await _each(self.servers, self._start)
            except BaseException:
                await _each([one for one in self.servers if one not in before], _stop)
                raise

    async def stop(self) -> None:
        """Stop the servers of this folder cleanly, whoever started them."""
        async with self._lock():
            await _each(self.servers, _stop)
        if self._guard:
            await self._guard.dismiss()
            self._guard = None

    async def status(self) -> list[ServerStatus]:
        """Return how each wanted server is now."""
        return [await _status(server) for server in self.servers]

    # -- one by one, for fault tests

    async def restart_kafka(self) -> None:
        """Stop every broker cleanly, then start them on the same ports."""
        await self._restart(*self.brokers)

    async def restart_broker(self, node: int) -> None:
        """Stop one broker if it runs, and start it on the same port."""
        await self._restart(self._broker(node))

    async def restart_postgres(self) -> None:
        """Stop PostgreSQL cleanly and start it on the same port."""
        await self._restart(self.postgres)

    async def restart_mail(self) -> None:
        """Stop the mail catcher cleanly and start it on the same ports."""
        await self._restart(self.mail)

    async def kill_kafka(self) -> None:
        """End every broker with SIGKILL; ``start`` brings them back."""
        await self._kill(*self.brokers)

    async def kill_broker(self, node: int) -> None:
        """End one broker with SIGKILL; ``restart_broker`` brings it back."""
        await self._kill(self._broker(node))

    async def kill_postgres(self) -> None:
        """End PostgreSQL with SIGKILL; ``start`` brings it back."""
        await self._kill(self.postgres)

    async def kill_mail(self) -> None:
        """End the mail catcher with SIGKILL; ``start`` brings it back."""
        await self._kill(self.mail)

    def _broker(self, node: int) -> EmbeddedKafka:
        for broker in self.brokers:
            if broker.node == node:
                return broker
        raise EmbeddedError(
            f"There is no Kafka broker {node} in {self.root}.",
            f"Name one of {', '.join(str(broker.node) for broker in self.brokers)}.",
        )

    async def _restart(self, *servers: EmbeddedServer) -> None:
        async with self._lock():
            await _each(servers, _stop)
            await _each(servers, partial(self._start, keep_ports=True))

    async def _kill(self, *servers: EmbeddedServer) -> None:
        async with self._lock():
            await _each(servers, lambda server: server.kill())

    async def _start(self, server: EmbeddedServer, *, keep_ports: bool = False) -> None:
        await server.start(on_spawn=self._watch(server), keep_ports=keep_ports)

    def _watch(self, server: EmbeddedServer) -> Callable[[ProcessId], None]:
        if self.detach:
            return lambda _process: None
        if self._guard is None:
            self._guard = Guard()
        guard = self._guard
        return lambda process: guard.watch(process, server.stop_signal, server.stop_seconds)

    def _lock(self) -> AbstractAsyncContextManager[None]:
        return folder_lock(self.root / "lock")


def _only(asked: Mapping[str, int], **names: str) -> dict[str, int]:
    """Return the asked ports of one server under the server's own names for them."""
    return {own: asked[name] for own, name in names.items() if name in asked}


async def _each(
    servers: Sequence[EmbeddedServer], step: Callable[[EmbeddedServer], Awaitable[None]]
) -> None:
    """Take a step with all servers at once, let each finish, then raise what went wrong."""
    results = await asyncio.gather(*map(step, servers), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        for other in failures[1:]:
            failures[0].add_note(f"Also: {other}")
        raise failures[0]


async def _stop(server: EmbeddedServer) -> None:
    await server.stop()


async def _status(server: EmbeddedServer) -> ServerStatus:
    state, process = server.state(), server.running()
    return ServerStatus(
        name=server.name,
        pid=process.pid if process else None,
        ports=state.ports if state else {},
        answers=process is not None and await server.answers(),
        log=server.log,
    )
