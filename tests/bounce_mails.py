"""Bounces and complaints as servers write them."""

from __future__ import annotations

from email.utils import format_datetime

from shared.clock import SystemClock


def dsn(
    to: str,
    address: str,
    *,
    status: str = "5.1.1",
    said: str = "550 5.1.1 <{address}>: Recipient address rejected: User unknown",
    action: str = "failed",
    returned: str = "",
    mark: str = "",
) -> bytes:
    """Return a delivery status notification in Postfix's form (RFC 3464).

    ``returned`` stands among the headers of the mail that comes back; ``mark`` tells copies apart.
    """
    text = f"""From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: {format_datetime(SystemClock().now())}
Auto-Submitted: auto-replied
X-Mark: {mark}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

<{address}>: host mx.example[192.0.2.1] said: {said.format(address=address)}

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
X-Postfix-Queue-ID: 4XYZ123abc

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822;{address}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example
Diagnostic-Code: smtp; {said.format(address=address)}

--B1
Content-Type: text/rfc822-headers

From: news@example.org
To: {address}
{returned}Subject: Hello

--B1--
"""
    return text.replace("\n", "\r\n").encode()


def complaint(to: str, address: str, *, token_of: str = "", kind: str = "abuse") -> bytes:
    """Return a complaint as mailbox providers send them (RFC 5965); ``token_of``: envelope from."""
    sender = f"Original-Mail-From: <{token_of}>\n" if token_of else ""
    text = f"""From: <abusedesk@provider.example>
To: {to}
Subject: FW: Earn money
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="F1"

--F1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--F1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{sender}Original-Rcpt-To: <{address}>

--F1
Content-Type: message/rfc822

From: news@example.org
To: <{address}>
Subject: Hello

Hello

--F1--
"""
    return text.replace("\n", "\r\n").encode()


def in_words(to: str, address: str) -> bytes:
    """Return a bounce in qmail's own words, which no standard knows."""
    text = f"""From: MAILER-DAEMON@mx.example
To: {to}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{address}>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 {address} user unknown
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Return-Path: <news@example.org>
Subject: Hello
"""
    return text.replace("\n", "\r\n").encode()


def holiday(to: str) -> bytes:
    """Return somebody's automatic reply."""
    text = f"""From: Ann <ann@x.example>
To: {to}
Subject: Away until Monday
Auto-Submitted: auto-replied (vacation)

I am away. Call 0123456789 for the 550 parts of order 5.1.1.
"""
    return text.replace("\n", "\r\n").encode()
