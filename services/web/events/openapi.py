"""What the merged OpenAPI document says of pushed events."""

from __future__ import annotations

from typing import Any, Final

from services.web.events.door import HOURS, MOST_HOURS, NDJSON
from services.web.events.reading import MOST_ITEMS, PushedEvent
from topics.cloudevents import JSON
from topics.outside import Queue

Document = dict[str, Any]

_REF: Final = "#/components/schemas/"
_PUSHED: Final[Document] = {"$ref": f"{_REF}events.PushedEvent"}
_TAKEN: Final[Document] = {
    "type": "object",
    "required": ["event_id", "queue", "status", "href"],
    "properties": {
        "event_id": {"type": "string", "format": "uuid"},
        "queue": {"type": "string", "enum": list(Queue)},
        "status": {"type": "string", "const": "pending"},
        "href": {"type": "string"},
    },
}
_LINE: Final[Document] = {
    "type": "object",
    "description": "What became of one item: its event's id, or why it was not taken.",
    "required": ["index"],
    "properties": {
        "index": {"type": "integer", "minimum": 0},
        "event_id": {"type": "string", "format": "uuid"},
        "again": {"type": "boolean", "description": "an earlier call had brought it"},
        "error": {
            "type": "object",
            "required": ["status", "reason"],
            "properties": {
                "status": {"type": "integer"},
                "field": {"type": "string"},
                "reason": {"type": "string"},
            },
        },
    },
}
_BATCH: Final[Document] = {
    "type": "object",
    "required": ["accepted", "rejected", "events"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {"type": "integer"},
        "events": {"type": "array", "items": _LINE},
    },
}
_HOURS: Final[Document] = {
    "name": HOURS,
    "in": "header",
    "required": False,
    "description": "How long the keys of this call live.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_HOURS, "default": 24},
}


def paths(problem: Document, key: Document) -> Document:
    """Return the paths of pushed events, given the answer for problems and the key's header."""
    found: Document = {
        f"/api/v1/events/{queue}": {"post": _push(queue, problem, key)} for queue in Queue
    }
    found["/api/v1/events/{event_id}"] = {"get": _read(problem)}
    return found


def schemas() -> Document:
    """Return the components that the paths speak of."""
    schema = PushedEvent.model_json_schema(ref_template=f"{_REF}events.{{model}}")
    return {"events.PushedEvent": schema}


def _push(queue: str, problem: Document, key: Document) -> Document:
    some: Document = {"type": "array", "items": _PUSHED, "minItems": 1, "maxItems": MOST_ITEMS}
    return {
        "tags": ["events"],
        "operationId": f"events_push_{queue}",
        "summary": f"Push one event, an array, or lines of any number, to the {queue} queue",
        "parameters": [key, _HOURS],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"oneOf": [_PUSHED, some]}},
                NDJSON: {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "202": {
                "description": "Kafka has what was accepted, on every in-sync replica.",
                "content": {
                    JSON: {"schema": {"oneOf": [_TAKEN, _BATCH]}},
                    NDJSON: {"schema": {"type": "string"}},
                },
            },
            "default": problem,
        },
    }


def _read(problem: Document) -> Document:
    return {
        "tags": ["events"],
        "operationId": "events_read",
        "summary": "Return an event with every status it had",
        "parameters": [
            {
                "name": "event_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            }
        ],
        "responses": {
            "200": {
                "description": "The event; see GET /api/v1/events_status/events/{event_id}.",
                "content": {JSON: {"schema": {"type": "object"}}},
            },
            "default": problem,
        },
    }
