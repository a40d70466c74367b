"""Structured logs: one JSON object a line on standard error, with nobody's data in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_EMAIL: Final = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+\.[^\s@<>\"',;:()]+")
_PHONE: Final = re.compile(r"(?<![\w.-])\+?\d(?:[\s./-]?\d){8,13}(?![\w-])")
_TOKEN: Final = re.compile(r"\b(?:xox[a-z]|xapp|mst)[-_][A-Za-z0-9-_]+")
_PASSWORD: Final = re.compile(r"(://[^:/\s]+:)[^@\s]+@")
_PRIVATE: Final = frozenset(
    (
        *("address", "addresses", "email", "emails", "phone", "mobile", "recipient", "recipients"),
        *("first_name", "last_name", "body", "text", "subject", "ctx", "payload", "value"),
        *("token", "password", "secret", "authorization"),
    )
)
REMOVED: Final = "[removed]"


def redact(text: str) -> str:
    """Return the text without addresses, phone numbers, tokens and passwords."""
    text = _PASSWORD.sub(r"\1[removed]@", text)
    for pattern in (_EMAIL, _TOKEN, _PHONE):
        text = pattern.sub(REMOVED, text)
    return text


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            redact(str(k)): REMOVED if k in _PRIVATE else _redacted(v) for k, v in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def redactor(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Remove personal data from every field of a log event (a structlog processor)."""
    for name in list(event):
        event[name] = REMOVED if name in _PRIVATE else _redacted(event[name])
    return event


def configure(*, level: str, service: str) -> None:
    """Send this process's logs, the libraries' too, through the redactor to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redactor,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _with_service(service),
            redactor,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiokafka", "httpx", "asyncio", "uvicorn", "slack_bolt", "slack_sdk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _with_service(service: str) -> structlog.typing.Processor:
    def add(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return add


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module: ``log.info("outbox.relayed", count=3)``."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
