"""Golden samples: every message ever published still decodes, and encodes to the same again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from tests.contract.freeze import GOLDEN
from topics.catalogue import catalogue
from topics.cloudevents import decode_envelope, decode_message, encode_headers
from topics.schema import ASYNCAPI, SCHEMAS

SAMPLES = sorted(GOLDEN.glob("*.json"))
each_sample = pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(path.read_bytes())
    return found


def test_every_message_has_a_golden_sample() -> None:
    missing = set(catalogue()) - {path.stem for path in SAMPLES}
    assert not missing, "run: python -m tests.contract.freeze"


@each_sample
def test_a_sample_decodes_and_encodes_to_the_same_again(path: Path) -> None:
    record = read(path)
    headers = [(name, text.encode()) for name, text in record["headers"].items()]
    envelope = decode_envelope(headers, orjson.dumps(record["data"]))
    message = decode_message(envelope)
    assert message.ce_type == path.stem
    # Fields that are younger than the sample are not in it.
    assert orjson.loads(message.model_dump_json(exclude_unset=True)) == record["data"]
    flat = encode_headers(
        message=message,
        key=message.partition_key,
        source=envelope.source,
        message_id=envelope.id,
        time=record["headers"]["ce_time"],
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        traceparent=envelope.traceparent,
    )
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == record["headers"]


@each_sample
def test_a_sample_fits_its_published_schema(path: Path) -> None:
    record = read(path)
    schema = read(SCHEMAS / path.name)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert list(validator.iter_errors(record["data"])) == []
    headers = read(ASYNCAPI)["components"]["schemas"]["cloudEvent"]
    assert list(Draft202012Validator(headers).iter_errors(record["headers"])) == []


@each_sample
def test_a_sample_without_its_optional_fields_still_decodes(path: Path) -> None:
    kind = catalogue()[path.stem]
    data = read(path)["data"]
    required = {name for name, field in kind.model_fields.items() if field.is_required()}
    message = kind.model_validate_json(
        orjson.dumps({name: data[name] for name in data if name in required})
    )
    assert message.partition_key
