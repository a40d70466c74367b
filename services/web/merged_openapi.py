"""One OpenAPI document out of the services' own, fetched from them and kept for a while."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import orjson

from services.web.events import openapi
from services.web.upstreams import Unreachable, Upstreams
from shared.clock import Clock
from shared.logs import logger

log = logger(__name__)

Document = dict[str, Any]

FRESH: Final = timedelta(minutes=5)
FETCH_SECONDS: Final = 5.0
# How long a document stays that lacks a service which was away.
INCOMPLETE: Final = timedelta(seconds=5)
_REF: Final = "#/components/schemas/"
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head"})
_PROBLEM: Final[Document] = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
        "code": {"type": "string"},
        "service": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_PROBLEM_ANSWER: Final[Document] = {
    "description": "Not accepted; the body says why.",
    "content": {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}},
}
_KEY: Final[Document] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body again: the first answer again, and no second effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def merge(documents: Mapping[str, Document], *, version: str, missing: list[str]) -> Document:
    """Return one document: paths as they are, components named ``<service>.<Name>``.

    Web's own routes of pushed events stand beside them. A service's paths outside
    ``/api/v1/<service>/`` are left out: web does not pass them on.
    """
    paths: Document = openapi.paths(_PROBLEM_ANSWER, _KEY)
    schemas: Document = {"Problem": _PROBLEM} | openapi.schemas()
    for name, document in documents.items():
        own = _renamed(document, name)
        prefix = f"/api/v1/{name}/"
        found = {path: item for path, item in own["paths"].items() if path.startswith(prefix)}
        for path, item in found.items():
            paths[path] = _completed(name, item)
        for schema, body in own.get("components", {}).get("schemas", {}).items():
            schemas[f"{name}.{schema}"] = body
    merged: Document = {
        "openapi": "3.1.0",
        "info": {"title": "Muster", "version": version},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "mst_…"}
            },
        },
    }
    return merged | ({"x-missing-services": missing} if missing else {})


def _renamed(document: Document, service: str) -> Document:
    text = orjson.dumps(document)
    pattern = re.compile(rb'"' + re.escape(_REF.encode()) + rb'([^"/]+)"')
    renamed = pattern.sub(f'"{_REF}{service}.'.encode() + rb'\1"', text)
    found: Document = orjson.loads(renamed)
    return found


def _completed(service: str, item: Document) -> Document:
    return {
        key: _operation(service, key, value) if key in _METHODS else value
        for key, value in item.items()
    }


def _operation(service: str, method: str, operation: Document) -> Document:
    answers = {
        # FastAPI describes its own shape for 422; ours are problem details.
        status: _PROBLEM_ANSWER if status == "422" else answer
        for status, answer in operation.get("responses", {}).items()
    }
    more: Document = {"responses": answers | {"default": _PROBLEM_ANSWER}}
    if "operationId" in operation:
        more["operationId"] = f"{service}_{operation['operationId']}"
    if method == "post":
        more["parameters"] = [*operation.get("parameters", []), _KEY]
    return operation | more


class MergedOpenApi:
    """Fetches and keeps the merged document; one fetch at a time."""

    def __init__(self, upstreams: Upstreams, clock: Clock, *, version: str) -> None:
        self._upstreams = upstreams
        self._clock = clock
        self._version = version
        self._lock = asyncio.Lock()
        self._document: Document | None = None
        self._until: datetime | None = None

    async def document(self) -> Document:
        """Return the document; services that are away are listed in ``x-missing-services``."""
        async with self._lock:
            now = self._clock.now()
            if self._document is None or self._until is None or self._until <= now:
                self._document, complete = await self._fetch()
                self._until = now + (FRESH if complete else INCOMPLETE)
            return self._document

    async def _fetch(self) -> tuple[Document, bool]:
        names = self._upstreams.names
        documents = await asyncio.gather(*(self._one(name) for name in names))
        found = {
            name: document
            for name, document in zip(names, documents, strict=True)
            if document is not None
        }
        missing = [name for name in names if name not in found]
        return merge(found, version=self._version, missing=missing), not missing

    async def _one(self, name: str) -> Document | None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                response = await self._upstreams.send(name, "GET", b"/openapi.json", headers=[])
                body = await response.aread()
                await response.aclose()
        except (Unreachable, TimeoutError, httpx.HTTPError) as away:
            log.info("openapi.service_away", name=name, error=type(away).__name__)
            return None
        if response.status_code != 200:
            return None
        document: Document = orjson.loads(body)
        return document
