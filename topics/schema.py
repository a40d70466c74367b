"""The published contract: a JSON Schema per message and an AsyncAPI 3 document of all topics.

``python -m topics.schema`` writes both beside this file; they are checked in, and a test says when
they are out of date. A schema describes what a reader takes: fields with a default may be left out.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from topics.catalogue import catalogue
from topics.cloudevents import JSON, SPEC_VERSION
from topics.message import Command, Message
from topics.names import TOPICS, Topic
from topics.outside import OutsideEvent

HERE: Final = Path(__file__).parent
SCHEMAS: Final = HERE / "schemas"
ASYNCAPI: Final = HERE / "asyncapi.json"
OUTSIDE: Final = "muster.events.outside_event"
_DIALECT: Final = GenerateJsonSchema.schema_dialect

Json = dict[str, Any]


def schemas() -> dict[str, Json]:
    """Return the JSON Schema of every message, and of outside events' data, by type."""
    found = {name: schema_of(kind, name) for name, kind in catalogue().items()}
    return found | {OUTSIDE: schema_of(OutsideEvent, OUTSIDE)}


def schema_of(kind: type[BaseModel], name: str) -> Json:
    """Return the JSON Schema (2020-12) of a message's data."""
    identity: Json = {"$schema": _DIALECT, "$id": f"/schemas/{name}.json"}
    return identity | kind.model_json_schema(mode="validation")


def asyncapi() -> Json:
    """Return the AsyncAPI 3.0 document: topics as channels, messages by CloudEvents type."""
    by_topic = _messages_by_topic()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Muster",
            "version": "1",
            "description": cleandoc(_ABOUT),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {topic.name: _channel(topic, names) for topic, names in by_topic.items()},
        "operations": {
            _operation_name(topic): _operation(topic, names) for topic, names in by_topic.items()
        },
        "components": {
            "messages": {name: _message(name, kind) for name, kind in catalogue().items()}
            | {OUTSIDE: _outside_event()},
            "schemas": {"cloudEvent": _headers(), "outsideCloudEvent": _headers(any_type=True)},
        },
    }


_ABOUT: Final = """
    Every message is a CloudEvent 1.0 in Kafka's binary mode: attributes in headers, JSON in the
    value. Order holds per record key. Commands are received by the service a topic is named for;
    events and states are sent by it. Topics for intake also take structured mode; the type of an
    outside event is its event type, such as `order.confirmed`.
"""


def _messages_by_topic() -> dict[Topic, list[str]]:
    found: dict[Topic, list[str]] = {topic: [] for topic in TOPICS}
    for name, kind in catalogue().items():
        found[kind.topic].append(name)
    for topic in TOPICS:
        if topic.intake:
            found[topic].append(OUTSIDE)
    return {topic: names for topic, names in found.items() if names}


def _channel(topic: Topic, names: list[str]) -> Json:
    about = f"Record key: {topic.key}."
    if topic.personal:
        about += " Records may carry personal data."
    return {
        "address": topic.name,
        "description": about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": _kafka(topic)},
    }


def _kafka(topic: Topic) -> Json:
    retention = topic.retention
    kept: Json = {"cleanup.policy": ["delete" if retention else "compact"]}
    if retention:
        kept["retention.ms"] = retention // timedelta(milliseconds=1)
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "topicConfiguration": kept,
        "bindingVersion": "0.5.0",
    }


def _receives(topic: Topic) -> bool:
    """Whether the service a topic is named for reads it, rather than writes it."""
    kinds = [kind for kind in catalogue().values() if kind.topic == topic]
    return topic.intake or any(issubclass(kind, Command) for kind in kinds)


def _operation_name(topic: Topic) -> str:
    return f"{'receive' if _receives(topic) else 'send'}.{topic.name}"


def _operation(topic: Topic, names: list[str]) -> Json:
    pointer = topic.name.replace("~", "~0").replace("/", "~1")
    return {
        "action": "receive" if _receives(topic) else "send",
        "channel": {"$ref": f"#/channels/{pointer}"},
        "messages": [{"$ref": f"#/channels/{pointer}/messages/{name}"} for name in names],
    }


def _message(name: str, kind: type[Message]) -> Json:
    about = cleandoc(kind.__doc__ or "")
    return {
        "name": name,
        "title": kind.__name__,
        "summary": " ".join(about.split("\n\n", maxsplit=1)[0].split()),
        "description": about,
        "contentType": JSON,
        "headers": {"$ref": "#/components/schemas/cloudEvent"},
        "payload": {"$ref": f"./schemas/{name}.json"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"the message's {kind.key_field}"},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _outside_event() -> Json:
    return {
        "name": OUTSIDE,
        "title": OutsideEvent.__name__,
        "summary": "Something happened in an outside system that people may be told about.",
        "description": cleandoc(OutsideEvent.__doc__ or ""),
        "contentType": JSON,
        "headers": {"$ref": "#/components/schemas/outsideCloudEvent"},
        "payload": {"$ref": f"./schemas/{OUTSIDE}.json"},
    }


def _headers(*, any_type: bool = False) -> Json:
    ours = "^muster\\.[a-z_]+\\.[a-z_]+\\.v[0-9]+$"
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
        "properties": {
            "ce_specversion": {"const": SPEC_VERSION},
            "ce_id": _text("unique together with ce_source"),
            "ce_source": _text("the sender, such as /muster/campaign"),
            "ce_type": {"type": "string", "minLength": 1} if any_type else _pattern(ours),
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": _text("the id the message is about"),
            "ce_dataschema": _text("the schema of the data"),
            "ce_partitionkey": _text("the record's key"),
            "ce_correlationid": _text("the id of the message that all this began with"),
            "ce_causationid": _text("the id of the message this one follows from"),
            "traceparent": _text("W3C trace context"),
            "content-type": {"type": "string"},
        },
    }


def _text(description: str) -> Json:
    return {"type": "string", "minLength": 1, "description": description}


def _pattern(pattern: str) -> Json:
    return {"type": "string", "pattern": pattern}


def rendered(document: Json) -> bytes:
    """Return a document as the files hold it: indented, ending in a line break."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def files() -> dict[Path, bytes]:
    """Return what every published file should hold."""
    found = {SCHEMAS / f"{name}.json": rendered(schema) for name, schema in schemas().items()}
    return found | {ASYNCAPI: rendered(asyncapi())}


def write() -> list[Path]:
    """Write the published files and remove schemas without a message; return what changed."""
    SCHEMAS.mkdir(exist_ok=True)
    wanted = files()
    gone = [path for path in SCHEMAS.glob("*.json") if path not in wanted]
    changed = [
        path for path, body in wanted.items() if not path.exists() or path.read_bytes() != body
    ]
    for path in gone:
        path.unlink()
    for path in changed:
        path.write_bytes(wanted[path])
    return sorted(gone + changed)


if __name__ == "__main__":
    for written in write():
        sys.stdout.write(f"{written.relative_to(HERE.parent)}\n")
