"""Settings of the supplier service."""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.settings import Settings


class SupplierSettings(Settings):
    """Where files are written, and how mails to routers leave."""

    supplier_files: Path = Field(
        default=Path(".muster/supplier-files"),
        description="folder of the extraction files; shared when several hosts run this service",
    )
    supplier_keep_days: int = Field(
        default=30, ge=1, le=3650, description="how long a file is kept once it is processed"
    )
    supplier_sender: str = Field(
        default="muster@localhost", max_length=254, description="From address of mails to routers"
    )
    supplier_lease_seconds: float = Field(
        default=120.0, ge=0.5, le=3600, description="after which a step is taken for dead"
    )
    supplier_retry_base_seconds: float = Field(default=60.0, gt=0, le=3600)
    supplier_mail_attempts: int = Field(default=20, ge=1, le=1000)
    supplier_attach_bytes: int = Field(
        default=10_000_000,
        ge=0,
        le=100_000_000,
        description="letters in PDF up to this are attached to the mail, more are downloaded",
    )
    supplier_outbox: Path | None = Field(
        default=None, description="folder in which routers' folders are; none: no such handover"
    )
    supplier_sftp_seconds: float = Field(
        default=60.0, gt=0, le=600, description="how long a file may take to a router's server"
    )
    supplier_link_days: int = Field(
        default=7, ge=1, le=90, description="how long a router's link to its file is good"
    )
    smtp_host: str = Field(default="127.0.0.1", description="the relay that takes the mails")
    smtp_port: int = Field(default=25, ge=1, le=65_535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_timeout_seconds: float = Field(default=20.0, gt=0, le=300)

    @field_validator("supplier_sender")
    @classmethod
    def _an_address(cls, text: str) -> str:
        try:
            return Address(addr_spec=text).addr_spec
        except (ValueError, IndexError, MessageError):
            message = "takes one e-mail address, such as campaigns@example.org"
            raise ValueError(message) from None

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> SupplierSettings:
        if self.smtp_tls == "none" and self.smtp_password is not None:
            message = "SMTP_PASSWORD needs SMTP_TLS=starttls or tls: it would travel in the clear"
            raise ValueError(message)
        return self
