"""Freezes what is published: ``python -m tests.contract.freeze`` writes what is missing.

A golden sample is never edited: what was published once must decode for ever. A published schema is
replaced only by one that breaks nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import orjson

from tests.contract.compatibility import breaks
from tests.contract.samples import TIME, sample
from topics.catalogue import catalogue
from topics.cloudevents import encode_headers
from topics.message import Message
from topics.schema import rendered, schemas

HERE: Final = Path(__file__).parent
GOLDEN: Final = HERE / "golden"
PUBLISHED: Final = HERE / "published"


def golden(kind: type[Message], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the sample record of a message: its headers and its data."""
    message = kind.model_validate_json(orjson.dumps(sample(schema)))
    headers = encode_headers(
        message=message,
        key=message.partition_key,
        source="/muster/golden",
        message_id="0197d2a4-0000-7000-8000-000000000001",
        time=TIME,
        correlation_id="0197d2a4-0000-7000-8000-000000000002",
        causation_id="0197d2a4-0000-7000-8000-000000000003",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    return {
        "headers": dict(zip(headers[::2], headers[1::2], strict=True)),
        "data": orjson.loads(message.model_dump_json()),
    }


def freeze() -> list[Path]:
    """Write missing samples, and schemas that are new or break nothing; return what was written.

    Raises:
        ValueError: a schema breaks what was published: give the message a new version instead.
    """
    now = schemas()
    written = []
    for name, kind in catalogue().items():
        path = GOLDEN / f"{name}.json"
        if not path.exists():
            path.write_bytes(rendered(golden(kind, now[name])))
            written.append(path)
    for name, schema in now.items():
        path = PUBLISHED / f"{name}.json"
        if path.exists() and (broken := breaks(orjson.loads(path.read_bytes()), schema)):
            message = f"{name}: {'; '.join(broken)}"
            raise ValueError(message)
        if not path.exists() or path.read_bytes() != rendered(schema):
            path.write_bytes(rendered(schema))
            written.append(path)
    return written


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    PUBLISHED.mkdir(exist_ok=True)
    for one in freeze():
        sys.stdout.write(f"{one.relative_to(HERE.parent.parent)}\n")
