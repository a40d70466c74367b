"""Settings of the delivery service."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.delivery.domain.quarantine import Limits
from services.delivery.domain.relays import Relay, parsed
from shared.settings import Settings
from topics.delivery import Channel

AmbiguousPolicy = Literal["hold", "assume_sent", "resend"]
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class DeliverySettings(Settings):
    """How mails leave, how approvals run."""

    smtp_host: str = Field(default="127.0.0.1", description="the relay that takes the mails")
    smtp_port: int = Field(default=25, ge=1, le=65_535)
    smtp_relays: str = Field(
        default="",
        description="host:port,host:port in order of preference; empty for SMTP_HOST:SMTP_PORT",
    )
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_ca_file: str | None = Field(
        default=None, description="certificates (PEM) to trust in place of the system's"
    )
    smtp_timeout_seconds: float = Field(
        default=20.0, gt=0, le=300, description="how long a relay may take for one reply"
    )

    approval_deadline_hours: float = Field(default=72.0, gt=0, le=24 * 90)
    approval_reminder_hours: str = Field(
        default="24,48", description="hours after submission, such as 24,48; empty for none"
    )
    self_approval: bool = Field(
        default=False, description="whether whoever asked for an approval may give it"
    )
    snapshot_max_age_days: float = Field(default=7.0, gt=0, le=365)

    sender_batch: int = Field(
        default=300, ge=1, le=500, description="rows of the queue claimed at once"
    )
    sender_window: int = Field(
        default=100,
        ge=1,
        le=500,
        description="messages a connection may call before their outcomes are written; what is"
        " ambiguous after a kill is at most this many a connection",
    )
    sender_connections: int = Field(default=4, ge=0, le=100, description="0 sends nothing")
    sender_lease_seconds: float = Field(default=60.0, ge=0.5, le=600)
    sender_retry_base_seconds: float = Field(default=60.0, gt=0, le=3600)
    sender_retry_hours: float = Field(
        default=72.0, gt=0, le=240, description="how long a deferred message is tried again"
    )
    ledger_days: float = Field(
        default=400.0,
        gt=0,
        le=3650,
        description="how long the rows of a run are kept after its end; an unsubscribe link is good"
        " for a year",
    )
    proof_retry_minutes: float = Field(default=15.0, gt=0, le=24 * 60)
    progress_seconds: float = Field(
        default=1.0, ge=0.05, le=60, description="how often totals of a run are published at most"
    )
    ambiguous_policy: AmbiguousPolicy = Field(
        default="hold",
        description="what becomes of a message whose server was lost before it answered",
    )
    unsubscribe_mailto: str | None = Field(
        default=None, description="address for List-Unsubscribe while PUBLIC_URL is not https"
    )
    utm_source: str = Field(
        default="muster", max_length=100, description="utm_source of links whose template adds UTM"
    )
    utm_medium: str = Field(default="email", max_length=100)
    tracking_wait_seconds: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="how long somebody who follows a link waits for the database at most",
    )
    tracking_queue: int = Field(
        default=20_000, ge=100, le=1_000_000, description="events kept while the database is away"
    )
    tracking_log_days: float = Field(
        default=396.0,
        ge=30,
        le=3660,
        description="how long opens and clicks of persons are kept; links are good for a year",
    )
    tracking_windows_days: float = Field(
        default=760.0, ge=30, le=3660, description="how long their five-minute totals are kept"
    )
    extraction_rows: int = Field(default=500, ge=1, le=1000)
    fill_chunks: int = Field(
        default=40, ge=1, le=40, description="snapshot chunks (500 rows) put into a ledger a step"
    )

    sms_gateway_url: str | None = Field(
        default=None,
        max_length=500,
        pattern=r"^https?://[^\s/?#@]+(/[^\s#]*)?$",
        description="where SMS are posted as JSON; without it there are none",
    )
    sms_gateway_token: SecretStr | None = Field(default=None, description="sent as a bearer token")
    sms_sender: str = Field(
        default="",
        pattern=r"^(\+?[0-9]{3,15}|[A-Za-z0-9 ]{1,11})?$",
        description="a number, or up to 11 letters and digits; empty for the gateway's own",
    )
    sms_gateway_timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    sms_gateway_connections: int = Field(
        default=16, ge=1, le=200, description="how many SMS a process may be posting at once"
    )
    sms_gateway_idempotent: bool = Field(
        default=False,
        description="the gateway sends once per Idempotency-Key: what it did not answer is posted"
        " again, instead of being ambiguous",
    )
    sms_max_parts: int = Field(
        default=10, ge=1, le=255, description="a longer SMS fails; each part is charged"
    )
    sms_invalid_codes: str = Field(
        default="invalid_number,unknown_number",
        description="what a gateway says in `code` or `error` of a number that is none, for good",
    )
    webhook_timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    webhook_connections: int = Field(
        default=16, ge=1, le=200, description="how many webhooks a process may be posting at once"
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="whether endpoints may be in private networks and on this machine, there by"
        " http too",
    )
    webhook_rotation_hours: float = Field(
        default=24.0,
        ge=0,
        le=24 * 30,
        description="how long the secret before a rotation signs as well",
    )

    bounce_domain: str | None = Field(
        default=None,
        max_length=190,
        pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$",
        description="domain of envelope senders, whose mail comes back to us; without it, From's",
    )
    bounce_smtp_host: str = Field(default="127.0.0.1", description="where bounces are received")
    bounce_smtp_port: int | None = Field(
        default=None, ge=1, le=65_535, description="port where bounces are received; unset: none"
    )
    bounce_max_bytes: int = Field(default=2 * 1024 * 1024, ge=10_000, le=50 * 1024 * 1024)
    bounce_imap_host: str | None = Field(
        default=None, description="server of a mailbox that holds nothing but bounces"
    )
    bounce_imap_port: int = Field(default=993, ge=1, le=65_535)
    bounce_imap_tls: Literal["none", "starttls", "tls"] = "tls"
    bounce_imap_username: str = ""
    bounce_imap_password: SecretStr | None = None
    bounce_imap_folder: str = Field(default="INBOX", min_length=1, max_length=200)
    bounce_imap_seconds: float = Field(
        default=60.0, ge=0.1, le=3600, description="how often the mailbox is looked into"
    )
    bounce_keep_days: float = Field(
        default=30.0, gt=0, le=365, description="how long an inbound mail is kept once it is read"
    )
    quarantine_soft_errors: int = Field(
        default=5, ge=0, le=100, description="soft errors an address may have; one more is too many"
    )
    quarantine_error_days: float = Field(
        default=1.0, gt=0, le=30, description="how far apart soft errors count"
    )
    quarantine_reset_days: float = Field(
        default=10.0, gt=0, le=365, description="after how long without an error they are forgotten"
    )
    quarantine_full_days: float = Field(
        default=30.0, gt=0, le=365, description="the same after a full mailbox"
    )

    @field_validator("approval_reminder_hours")
    @classmethod
    def _hours(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            if float(part) <= 0:
                message = "takes hours above 0, such as 24,48"
                raise ValueError(message)
        return text

    @field_validator("smtp_relays")
    @classmethod
    def _relays(cls, text: str) -> str:
        parsed(text)
        return text

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> DeliverySettings:
        if self.smtp_tls == "none" and self.smtp_password is not None:
            message = "SMTP_PASSWORD needs SMTP_TLS=starttls or tls: it would travel in the clear"
            raise ValueError(message)
        gateway = urlsplit(self.sms_gateway_url or "")
        exposed = gateway.scheme == "http" and gateway.hostname not in LOOPBACK
        if exposed and self.sms_gateway_token is not None:
            message = (
                "SMS_GATEWAY_TOKEN needs an https SMS_GATEWAY_URL: else it travels in the clear"
            )
            raise ValueError(message)
        if self.bounce_smtp_port is not None and self.bounce_domain is None:
            message = "BOUNCE_SMTP_PORT needs BOUNCE_DOMAIN: mail is taken for that domain alone"
            raise ValueError(message)
        loopback = self.bounce_imap_host is None or self.bounce_imap_host in LOOPBACK
        if self.bounce_imap_tls == "none" and not loopback:
            message = "BOUNCE_IMAP_TLS=none is for a server on this machine; use starttls or tls"
            raise ValueError(message)
        return self

    def policy_of(self, channel: Channel) -> AmbiguousPolicy:
        """What becomes of a message that was handed over and never answered.

        A webhook carries the id by which its receiver knows it again, and an SMS a key, where the
        gateway promises to honour it: they go again.
        """
        idempotent = channel is Channel.SMS and self.sms_gateway_idempotent
        return "resend" if idempotent or channel is Channel.WEBHOOK else self.ambiguous_policy

    def timeout_of(self, channel: Channel) -> float:
        """How long one call of a channel may take, in seconds."""
        return {
            Channel.SMS: self.sms_gateway_timeout_seconds,
            Channel.WEBHOOK: self.webhook_timeout_seconds,
        }.get(channel, self.smtp_timeout_seconds)

    def connections_of(self, channel: Channel) -> int:
        """How many messages of a channel over HTTP a process may be posting at once."""
        return self.sms_gateway_connections if channel is Channel.SMS else self.webhook_connections

    @property
    def sms_invalid(self) -> frozenset[str]:
        """What a gateway says of numbers that are none."""
        return frozenset(filter(None, map(str.strip, self.sms_invalid_codes.split(","))))

    @property
    def relays(self) -> tuple[Relay, ...]:
        """Where mails go, in order of preference; at least one."""
        return parsed(self.smtp_relays) or (Relay(self.smtp_host, self.smtp_port),)

    @property
    def limits(self) -> Limits:
        """The numbers of quarantine."""
        return Limits(
            soft_errors=self.quarantine_soft_errors,
            significant=timedelta(days=self.quarantine_error_days),
            reset=timedelta(days=self.quarantine_reset_days),
            reset_full=timedelta(days=self.quarantine_full_days),
        )

    @property
    def reminder_hours(self) -> tuple[float, ...]:
        """When reminders are due, in hours after submission, ascending."""
        parts = (part.strip() for part in self.approval_reminder_hours.split(","))
        return tuple(sorted(float(part) for part in parts if part))
