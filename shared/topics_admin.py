"""Topics on the broker: create what the catalogue lists, compare, print access rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared import kafka
from shared.settings import Settings
from topics.names import Topic, all_topics

REPLICAS: Final = 3
MIN_INSYNC: Final = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """How a topic on the broker differs from the catalogue."""

    topic: str
    what: str


def configuration(topic: Topic) -> dict[str, str]:
    """Return the broker's configuration of a topic."""
    if topic.retention is None:
        return {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.5"}
    milliseconds = int(topic.retention.total_seconds() * 1000)
    return {"cleanup.policy": "delete", "retention.ms": str(milliseconds)}


async def apply(
    settings: Settings, *, topics: Sequence[Topic] | None = None, replicas: int | None = None
) -> list[str]:
    """Create the topics that are missing, all or those given; return their names.

    Three replicas of each where there are three brokers, else one, when not told. With three or
    more a write needs two of them (``min.insync.replicas``).
    """
    async with kafka.admin(settings) as client:
        prefix = settings.kafka_namespace
        lacking = await _lacking(client, all_topics() if topics is None else topics, prefix)
        if lacking:
            await _create(client, lacking, replicas or await _replicas(client), prefix)
        return [topic.name for topic in lacking]


async def missing(settings: Settings, *topics: Topic) -> list[str]:
    """Return the names of those topics that the broker does not have."""
    async with kafka.admin(settings) as client:
        return [one.name for one in await _lacking(client, topics, settings.kafka_namespace)]


async def _lacking(client: Any, topics: Sequence[Topic], prefix: str) -> list[Topic]:
    existing = set(await client.list_topics())
    return [topic for topic in topics if prefix + topic.name not in existing]


async def _replicas(client: Any) -> int:
    brokers = (await client.describe_cluster())["brokers"]
    return REPLICAS if len(brokers) >= REPLICAS else 1


async def _create(client: Any, missing: list[Topic], replicas: int, prefix: str) -> None:
    extra = {"min.insync.replicas": str(MIN_INSYNC)} if replicas > MIN_INSYNC else {}
    response = await client.create_topics(
        [
            NewTopic(
                prefix + topic.name,
                topic.partitions,
                replicas,
                topic_configs=configuration(topic) | extra,
            )
            for topic in missing
        ],
        timeout_ms=60_000,
    )
    for name, code, *rest in response.topic_errors:
        problem = for_code(code)
        if code and problem is not TopicAlreadyExistsError:
            raise problem(f"{name}: {rest[0] if rest else ''}")


async def check(settings: Settings) -> list[Difference]:
    """Return how the broker's topics differ from the catalogue; empty when they agree."""
    prefix = settings.kafka_namespace
    async with kafka.admin(settings) as client:
        found = {item["topic"]: item for item in await client.describe_topics()}
        names = [prefix + topic.name for topic in all_topics() if prefix + topic.name in found]
        configs = await _configs(client, names)
    differences: list[Difference] = []
    for topic in all_topics():
        name = prefix + topic.name
        if name not in found:
            differences.append(Difference(name, "is missing"))
            continue
        differences += _compare(topic, len(found[name]["partitions"]), configs[name])
    return differences


async def _configs(client: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    if not resources:
        return found
    for response in await client.describe_configs(resources):
        for resource in response.resources:
            found[resource[3]] = {entry[0]: entry[1] for entry in resource[4]}
    return found


def _compare(topic: Topic, partitions: int, config: dict[str, str]) -> list[Difference]:
    differences = []
    if partitions < topic.partitions:
        differences.append(
            Difference(topic.name, f"has {partitions} partitions, wants {topic.partitions}")
        )
    for name, wanted in configuration(topic).items():
        if name != "min.cleanable.dirty.ratio" and config.get(name) != wanted:
            differences.append(
                Difference(topic.name, f"{name} is {config.get(name)}, wants {wanted}")
            )
    return differences


def acl_commands(bootstrap: str, *, producer: str, services: str) -> list[str]:
    """Return the commands that let an outside producer write to intake topics and nothing else.

    ``services`` is the principal of Muster's own processes, which read and write every topic.
    """
    tool = f"kafka-acls.sh --bootstrap-server {bootstrap} --add"
    lines = [
        f"{tool} --allow-principal User:{producer} --operation Write --operation Describe"
        f" --topic {topic.name}"
        for topic in all_topics()
        if topic.intake
    ]
    return [
        *lines,
        (
            f"{tool} --allow-principal User:{services} --operation All --topic '*' --group '*'"
            " --transactional-id '*'"
        ),
    ]
