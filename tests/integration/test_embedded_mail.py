"""The mail catcher as a real process, over real SMTP and HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import httpx
import pytest

from deploy.embedded.catcher import EmbeddedMail
from deploy.embedded.ports import HOST

SENDER, RECIPIENT = "a@muster.example", "b@muster.example"


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMail]:
    server = EmbeddedMail(tmp_path_factory.mktemp("mail"))
    asyncio.run(server.start())
    try:
        yield server
    finally:
        asyncio.run(server.stop())


@pytest.fixture
async def mail(catcher: EmbeddedMail) -> EmbeddedMail:
    """The catcher, running, empty and without faults."""
    await catcher.start()
    async with httpx.AsyncClient(base_url=catcher.url) as client:
        await client.put("/api/faults", json={})
        await client.delete("/api/messages")
    return catcher


@pytest.fixture
async def http(mail: EmbeddedMail) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=mail.url) as client:
        yield client


def a_mail(subject: str = "Hello", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, subject
    message.set_content("Bonjour à tous")
    if html:
        message.add_alternative(html, subtype="html")
    return message


async def send(mail: EmbeddedMail, message: EmailMessage, to: str = RECIPIENT) -> None:
    await aiosmtplib.send(
        message, sender=SENDER, recipients=[to], hostname=HOST, port=mail.smtp_port, timeout=10
    )


async def script(http: httpx.AsyncClient, *rules: dict[str, Any]) -> None:
    answer = await http.put("/api/faults", json={"rules": rules})
    assert answer.status_code == 200, answer.text


async def kept(http: httpx.AsyncClient, **query: int) -> list[dict[str, Any]]:
    answer = await http.get("/api/messages", params=query)
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


async def only_id(http: httpx.AsyncClient) -> int:
    [one] = await kept(http)
    return int(one["id"])


async def count(http: httpx.AsyncClient) -> int:
    return int((await http.get("/api/count")).json()["count"])


async def test_what_was_answered_with_250_survives_a_kill(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    for number in range(20):
        await send(mail, a_mail(f"Number {number}"))
    await mail.kill()
    assert await mail.start()
    assert [one["subject"] for one in await kept(http)] == [
        f"Number {number}" for number in range(20)
    ]


async def test_the_list_goes_on_after_an_id_and_one_mail_has_its_bodies(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    for number in range(3):
        await send(mail, a_mail(f"Number {number}", html="<p>été</p>"))
    ids = [one["id"] for one in await kept(http)]
    page = await kept(http, since_id=ids[0], limit=1)
    assert [one["id"] for one in page] == [ids[1]]
    one = (await http.get(f"/api/messages/{ids[1]}")).json()
    assert one["recipients"] == [RECIPIENT]
    assert one["text"].strip() == "Bonjour à tous"
    assert one["html"].strip() == "<p>été</p>"
    assert (await http.get("/api/messages/999999")).status_code == 404
    assert (await http.get("/api/messages", params={"limit": "x"})).status_code == 400


async def test_removing_all_mails_never_reuses_an_id(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    await send(mail, a_mail())
    first = await only_id(http)
    assert (await http.delete("/api/messages")).json() == {"removed": 1}
    await send(mail, a_mail())
    assert await only_id(http) > first


async def test_a_recipient_is_refused_by_rule_and_others_are_not(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    await script(http, {"action": "refuse_recipient", "recipient": "*@no.example", "code": 550})
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send(mail, a_mail(), to="x@no.example")
    assert refused.value.recipients[0].code == 550
    await send(mail, a_mail())
    assert await count(http) == 1


async def test_a_message_is_refused_after_its_data_and_not_kept(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    await script(http, {"action": "refuse_message", "code": 452, "times": 1})
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(mail, a_mail())
    assert refused.value.code == 452
    await send(mail, a_mail())
    assert await count(http) == 1
    assert (await http.get("/api/faults")).json()["hits"] == [1]


@pytest.mark.parametrize(("action", "kept"), [("drop_before_keep", 0), ("drop_after_keep", 1)])
async def test_a_dropped_connection_tells_the_sender_nothing(
    mail: EmbeddedMail, http: httpx.AsyncClient, action: str, kept: int
) -> None:
    await script(http, {"action": action})
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(mail, a_mail())
    assert await count(http) == kept


async def test_a_delay_holds_back_the_answer(mail: EmbeddedMail, http: httpx.AsyncClient) -> None:
    await script(http, {"action": "delay", "delay_seconds": 0.4})
    begun = time.monotonic()
    await send(mail, a_mail())
    assert time.monotonic() - begun >= 0.4


async def test_faults_outlive_a_restart_and_nonsense_changes_nothing(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    await script(http, {"action": "refuse_message", "percent": 30, "seed": 7})
    assert (await http.put("/api/faults", json={"rules": [{"action": "x"}]})).status_code == 400
    await mail.stop()
    await mail.start()
    rules = (await http.get("/api/faults")).json()["rules"]
    assert [(rule["action"], rule["percent"]) for rule in rules] == [("refuse_message", 30)]


async def test_pages_show_mails_newest_first_in_both_languages(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    for number in range(52):
        await send(mail, a_mail(f"Number {number:02}"))
    first = (await http.get("/")).text
    third = (await kept(http))[2]["id"]
    assert first.index("Number 51") < first.index("Number 02")
    assert "Number 01" not in first
    older = (await http.get("/", params={"before": third, "lang": "fr"})).text
    assert "Number 01" in older
    assert '<html lang="fr">' in older
    assert (await http.get("/messages/999999")).status_code == 404


async def test_a_hostile_mail_stays_text_outside_and_powerless_inside_its_frame(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    hostile = "<script>alert(1)</script>"
    await send(mail, a_mail(hostile, html=f"<p>Hi</p>{hostile}"))
    page = f"/messages/{await only_id(http)}"
    for path in ("/", page):
        answer = await http.get(path)
        assert hostile not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    shown = (await http.get(page)).text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown
    frame = await http.get(f"{page}/html")
    policy = frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in shown + policy
    assert "script-src" not in policy


async def test_attachments_and_source_can_be_saved(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    message = a_mail()
    message.add_attachment(b"<b>", maintype="text", subtype="html", filename="été.html")
    await send(mail, message)
    page = f"/messages/{await only_id(http)}"
    index = (await http.get(f"/api{page}")).json()["attachments"][0]["index"]
    part = await http.get(f"{page}/parts/{index}")
    assert part.content == b"<b>"
    assert part.headers["Content-Type"] == "application/octet-stream"
    assert part.headers["Content-Disposition"].startswith("attachment;")
    assert (await http.get(f"{page}/parts/9")).status_code == 404
    raw = await http.get(f"{page}/raw")
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert "Subject: Hello" in raw.text


async def test_a_name_from_elsewhere_that_points_here_gets_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/messages", headers={"Host": "attacker.example"})
    assert answer.status_code == 421


async def test_hundreds_of_mails_at_once_are_kept(
    mail: EmbeddedMail, http: httpx.AsyncClient
) -> None:
    async def many() -> None:
        async with aiosmtplib.SMTP(hostname=HOST, port=mail.smtp_port) as client:
            for _ in range(150):
                await client.send_message(a_mail(), sender=SENDER, recipients=[RECIPIENT])

    await asyncio.gather(*(many() for _ in range(4)))
    assert await count(http) == 600


async def test_nobodys_address_is_in_the_log(mail: EmbeddedMail, http: httpx.AsyncClient) -> None:
    await script(http, {"action": "drop_after_keep", "times": 1})
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(mail, a_mail())
    await send(mail, a_mail())
    await mail.stop()
    assert "muster.example" not in mail.tail()
