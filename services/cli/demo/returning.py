"""A mail that comes back: what its server reports hours later (RFC 3464), and the way in."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, localtime
from typing import Final

REPORTER: Final = "mx.elsewhere.example"
WORDS: Final = "550 5.1.1 mailbox unknown: it was closed last year"


def report(address: str, envelope_sender: str, message_id: str) -> bytes:
    """Return a delivery status report for a mail to ``address``, to its envelope sender."""
    mail = MIMEMultipart("report", report_type="delivery-status")
    mail["From"] = f"Mail Delivery System <mailer-daemon@{REPORTER}>"
    mail["To"] = envelope_sender
    mail["Subject"] = "Undelivered mail returned to sender"
    mail["Date"] = format_datetime(localtime())
    mail["Auto-Submitted"] = "auto-replied"
    mail.attach(MIMEText("Your message could not be delivered to its recipient.\n"))
    about, recipient = Message(), Message()
    about["Reporting-MTA"] = f"dns; {REPORTER}"
    recipient["Final-Recipient"] = f"rfc822; {address}"
    recipient["Action"] = "failed"
    recipient["Status"] = "5.1.1"
    recipient["Diagnostic-Code"] = f"smtp; {WORDS}"
    status = Message()
    status["Content-Type"] = "message/delivery-status"
    status.set_payload([about, recipient])
    mail.attach(status)
    returned = EmailMessage()
    returned["To"] = address
    returned["Message-ID"] = message_id
    mail.attach(MIMEMessage(returned))
    return mail.as_bytes()


async def send_back(content: bytes, envelope_sender: str, *, port: int) -> None:
    """Hand a report over by SMTP, with the empty sender that reports have (RFC 5321, 4.5.5)."""

    def over_smtp() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.sendmail("", [envelope_sender], content)

    await asyncio.to_thread(over_smtp)
