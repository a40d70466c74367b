"""Settings of web: where the services answer, and how web may be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field, ValidationInfo, field_validator

from shared.mail.settings import MailSettings, checked_address
from shared.settings import Settings

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# Ports follow web's own in this order, as `muster up` gives them.
UPSTREAMS: Final = (
    "campaign",
    "targeting",
    "actions",
    "delivery",
    "supplier",
    "budget",
    "stock",
    "events_status",
    "workflows",
)
_ADDRESS: Final = "takes name=http://host:port,… with names of " + ", ".join(UPSTREAMS)


def parse_urls(text: str) -> dict[str, str]:
    """Return the address of each service named in ``name=http://host:port,…``.

    Raises:
        ValueError: an entry has no ``=``, an unknown name, or no http address.
    """
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, url = part.partition("=")
        if name not in UPSTREAMS or not url.startswith(("http://", "https://")):
            raise ValueError(_ADDRESS)
        found[name] = url.rstrip("/")
    return found


class WebSettings(MailSettings):
    """How web is reached, and how it reaches the services."""

    service_urls: str = Field(
        default="",
        description="name=http://host:port,… for services that are not on this machine",
    )
    upstream_timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="how long a service may stay silent in one call"
    )
    idempotency_hours: float = Field(default=24.0, gt=0, le=24 * 30)
    session_hours: float = Field(default=12.0, gt=0, le=24 * 30)
    supervision_sender: str = Field(
        default="muster@localhost",
        max_length=254,
        description="From address of mails to supervisors",
    )
    mail_url: str | None = Field(default=None, description="a page of mails that were caught")
    web_open_start_page: bool = Field(
        default=False, description="1 shows campaign names to anyone who reaches web"
    )
    event_instance: int = Field(
        default=1,
        ge=1,
        le=127,
        description="the high byte of the numbers that SOAP callers get for events",
    )
    muster_demo: bool = Field(
        default=False, description="1 opens the start page while web listens on loopback only"
    )
    web_tls_certificate: Path | None = Field(default=None, description="a PEM file, with its chain")
    web_tls_key: Path | None = Field(default=None, description="the certificate's key, a PEM file")
    # After what it is checked against.
    behind_proxy: bool = Field(
        default=False,
        validate_default=True,
        description="1 says that a proxy before web ends TLS",
    )

    @field_validator("service_urls")
    @classmethod
    def _known_services(cls, text: str) -> str:
        parse_urls(text)
        return text

    @field_validator("supervision_sender")
    @classmethod
    def _an_address(cls, text: str) -> str:
        return checked_address(text)

    @field_validator("behind_proxy")
    @classmethod
    def _not_public_in_the_clear(cls, value: object, info: ValidationInfo) -> object:
        host = info.data.get("http_host")
        tls = info.data.get("web_tls_certificate") and info.data.get("web_tls_key")
        if host is not None and host not in LOOPBACK and not tls and not value:
            message = (
                f"HTTP_HOST={host} would carry tokens in the clear: set WEB_TLS_CERTIFICATE and"
                " WEB_TLS_KEY, or BEHIND_PROXY=1 when a proxy ends TLS, or HTTP_HOST=127.0.0.1"
            )
            raise ValueError(message)
        return value

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches web."""
        return self.http_host in LOOPBACK

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """The certificate and its key; ``None`` when web itself speaks plain HTTP."""
        if self.web_tls_certificate is None or self.web_tls_key is None:
            return None
        return self.web_tls_certificate, self.web_tls_key

    @property
    def start_page_is_open(self) -> bool:
        """Whether the start page is shown without a sign-in."""
        return self.web_open_start_page or (self.muster_demo and self.on_loopback)

    @property
    def upstream_urls(self) -> dict[str, str]:
        """Where each service answers."""
        usual = {
            name: f"http://127.0.0.1:{self.http_base_port + place}"
            for place, name in enumerate(UPSTREAMS, start=1)
        }
        return usual | parse_urls(self.service_urls)


def web_settings(settings: Settings) -> WebSettings:
    """Return a runtime's settings as the kind that web runs with."""
    if isinstance(settings, WebSettings):
        return settings
    message = f"web runs with WebSettings, not {type(settings).__name__}"
    raise TypeError(message)
