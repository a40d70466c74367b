"""Settings of a service that hands single mails to a relay."""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings


class MailSettings(Settings):
    """The relay that takes the mails."""

    smtp_host: str = Field(default="127.0.0.1", description="the relay that takes the mails")
    smtp_port: int = Field(default=25, ge=1, le=65_535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_timeout_seconds: float = Field(default=20.0, gt=0, le=300)

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.smtp_tls == "none" and self.smtp_password is not None:
            message = "SMTP_PASSWORD needs SMTP_TLS=starttls or tls: it would travel in the clear"
            raise ValueError(message)
        return self


def checked_address(text: str) -> str:
    """Return an e-mail address.

    Raises:
        ValueError: it is none.
    """
    try:
        return Address(addr_spec=text).addr_spec
    except (ValueError, IndexError, MessageError):
        message = "takes one e-mail address, such as campaigns@example.org"
        raise ValueError(message) from None
