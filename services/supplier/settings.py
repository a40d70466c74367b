"""Settings of the supplier service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from shared.mail.settings import MailSettings, checked_address


class SupplierSettings(MailSettings):
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

    @field_validator("supplier_sender")
    @classmethod
    def _an_address(cls, text: str) -> str:
        return checked_address(text)
