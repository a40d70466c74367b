"""Mails of every kind through Debian's postfix: accepted, verified by dkimpy, read by the library.

Postfix is a relay here as it is at most sites, and the mail catcher stands behind it: what is
looked at is what arrived.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import dkim
import pytest

from services.delivery.smtp import Connection
from tests.integration.delivery_harness import catching
from tests.integration.smtp.sample_mails import DOMAIN, Keys, Sample, samples
from tests.integration.smtp.servers import postfix, settings_for
from tests.waiting import eventually

LONG = 1e12
UNSUBSCRIBE = {"list-unsubscribe", "list-unsubscribe-post"}


async def test_postfix_takes_every_sample_and_what_arrives_is_sound(tmp_path: Path) -> None:
    keys = Keys()
    async with catching(tmp_path) as catcher, postfix(onward=catcher.port) as port:
        settings = settings_for(
            port,
            smtp_timeout_seconds=60,
            public_url=f"https://{DOMAIN}",
            bounce_domain=f"bounces.{DOMAIN}",
        )
        sent = samples(settings, keys)
        connection = Connection(settings)
        await connection.ensure()
        answers = await connection.send_many([one.mail for one in sent], until=LONG)
        await connection.close()
        assert [answer.verdict for answer in answers] == ["sent"] * len(sent)

        async def relayed() -> bool:
            return await catcher.store.count() == len(sent)

        await eventually(relayed, seconds=60, what="what postfix relays")
        arrived = {mail.recipients[0]: mail for mail in await catcher.store.after(0, 100)}
    for sample in sent:
        mail = arrived[sample.mail.recipient]
        assert mail.mail_from == sample.mail.sender, sample.name
        assert b"Received: from" in mail.raw, sample.name
        verify(sample, mail.raw, keys)
        look_at(sample, message_from_bytes(mail.raw, policy=default))


def verify(sample: Sample, raw: bytes, keys: Keys) -> None:
    """Verify both signatures, and what they cover."""
    count = len(re.findall(rb"(?m)^DKIM-Signature:", raw))
    assert count == len(keys.keys), sample.name
    for i in range(count):
        signature = dkim.DKIM(raw, minkey=2048 if i == 0 else 0)
        assert signature.verify(idx=i, dnsfunc=keys.look_up), f"{sample.name}, signature {i}"
        covered = {name.decode() for name in signature.include_headers}
        assert {"from", "to", "subject", "date", "message-id"} <= covered, sample.name
        assert covered & UNSUBSCRIBE == (UNSUBSCRIBE if sample.is_campaign else set()), sample.name


def look_at(sample: Sample, mail: EmailMessage) -> None:
    """Read it with the standard library: no defect anywhere, everything where it belongs."""
    for part in mail.walk():
        assert part.defects == [], sample.name
        for name, value in part.items():
            assert getattr(value, "defects", ()) == (), f"{sample.name}: {name}"
    assert mail["Subject"] == sample.subject
    assert mail["From"].addresses[0].display_name == "Atelier Müster, Étude"
    assert mail["To"].addresses[0].addr_spec == sample.mail.recipient
    assert bool(mail["List-Unsubscribe"]) == sample.is_campaign
    if sample.is_campaign:
        assert re.fullmatch(rf"<https://{DOMAIN}/u/[\w=-]+>", mail["List-Unsubscribe"])
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None, sample.name
        text = body.get_content()
        assert ("Zoé" in text) == (sample.name != "order"), f"{sample.name}: {kind}"
        assert "{{" not in text, f"{sample.name}: {kind}"
    files = [part.get_content() for part in mail.iter_attachments()]
    assert files == ([sample.attached] if sample.attached else []), sample.name


def test_a_changed_mail_does_not_verify() -> None:
    keys = Keys()
    [sample, *_] = samples(settings_for(1, public_url=f"https://{DOMAIN}"), keys)
    raw = sample.mail.content
    verify(sample, raw, keys)
    for before, after in ((b"One-Click", b"Two-Click"), (b"<html", b"<HTML")):
        assert before in raw
        with pytest.raises((AssertionError, dkim.ValidationError), match=r"signature 0|body hash"):
            verify(sample, raw.replace(before, after), keys)
