"""One validated source of settings: the environment. A wrong value names the variable."""

from __future__ import annotations

import hashlib
import hmac
import socket
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SettingsT = TypeVar("SettingsT", bound="Settings")


class SettingsError(Exception):
    """A setting is missing or wrong; the text names each variable and what it takes."""


class Settings(BaseSettings):
    """What every service needs; a service with settings of its own subclasses this."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    database_url: str = Field(description="postgresql://user:password@host:port/database")
    kafka_bootstrap: str = Field(description="host:port[,host:port…]")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_namespace: str = Field(
        default="", pattern=r"^([a-z0-9-]+\.)?$", description="a prefix such as 'test.' or nothing"
    )
    kafka_session_timeout_ms: int = Field(default=10_000, ge=1_000, le=300_000)
    muster_secret_key: SecretStr = Field(
        min_length=16, description="at least 16 characters; signs tokens, derives passwords"
    )
    muster_instance: str = Field(
        default_factory=socket.gethostname, description="tells replicas apart; unique per process"
    )
    muster_zone: str = Field(default="UTC", description="an IANA zone such as Europe/Paris")
    muster_language: Literal["en", "fr"] = "en"
    muster_clock_file: Path | None = Field(
        default=None,
        description="a file with the seconds the clock is ahead, to rehearse schedules; else none",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    public_url: str = Field(default="http://127.0.0.1:8080", description="where people reach web")
    http_host: str = "127.0.0.1"
    http_base_port: int = Field(
        default=8080, ge=1, le=65_000, description="web's port; services take the next ones"
    )
    database_pool_size: int = Field(default=4, ge=2, le=50)
    consumer_max_records: int = Field(default=500, ge=1, le=10_000)
    relay_batch: int = Field(default=2_000, ge=1, le=10_000)
    relay_lease_seconds: float = Field(default=6.0, ge=1, le=60)
    retry_base_seconds: float = Field(default=0.5, gt=0, le=60)
    retry_max_attempts: int = Field(default=8, ge=1, le=100)
    workflow_sweep_seconds: float = Field(
        default=60.0, ge=0.2, le=3600, description="how often technical workflows look for work"
    )
    workflow_history_days: int = Field(
        default=31, ge=1, le=3650, description="how long runs of technical workflows are kept"
    )
    heartbeat_seconds: float = Field(default=10.0, ge=0.5, le=600)

    @field_validator("muster_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            message = "is no IANA time zone (such as Europe/Paris)"
            raise ValueError(message)
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The instance's time zone."""
        return ZoneInfo(self.muster_zone)

    @property
    def secret(self) -> bytes:
        """The instance's secret key."""
        return self.muster_secret_key.get_secret_value().encode()


def load(kind: type[SettingsT]) -> SettingsT:
    """Return the settings read from the environment.

    Raises:
        SettingsError: naming each variable that is missing or wrong, and what it takes.
    """
    try:
        return kind()
    except ValidationError as problem:
        raise SettingsError(_explain(kind, problem)) from None


def _explain(kind: type[Settings], problem: ValidationError) -> str:
    lines = []
    for error in problem.errors(include_input=False, include_url=False):
        # A rule over several settings has no place of its own; its text names them.
        name = str(error["loc"][0]) if error["loc"] else kind.__name__
        known = kind.model_fields.get(name)
        hint = f" ({known.description})" if known and known.description else ""
        lines.append(f"{name.upper()}: {error['msg']}{hint}")
    return "\n".join(lines)


def derived(secret: bytes, purpose: str) -> str:
    """Return a password or key derived from the instance's secret for one purpose (hex)."""
    return hmac.new(secret, f"muster:{purpose}".encode(), hashlib.sha256).hexdigest()


def database_name(url: str) -> str:
    """Return the database's name in a URL."""
    return urlsplit(url).path.lstrip("/")


def role_name(url: str, service: str) -> str:
    """Return the login role of a service; it holds the database's name, as roles are shared."""
    return f"{database_name(url)}_{service}"


def role_url(settings: Settings, service: str) -> str:
    """Return the URL a service connects with: its own login role, its derived password."""
    parts = urlsplit(settings.database_url)
    role = role_name(settings.database_url, service)
    password = derived(settings.secret, f"role:{role}")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{password}@{host}"))
