"""Links, pixels and mirror pages of real mails: what they answer, what is written, what is not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prometheus_client import REGISTRY

from services.delivery.app import SERVICE, make_app
from services.delivery.domain.tracking import EventKind
from services.delivery.erase import erase
from services.delivery.links import Link, last_day, token_of
from services.delivery.tracking.routes import MIRROR_POLICY
from services.delivery.tracking.workflows import consolidate_tracking
from services.delivery.tracking.writer import run_tracking_writer, writer_of
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import (
    Case,
    Catcher,
    add_operators,
    approved,
    finished,
    first,
    member,
    part,
    said,
    sending,
    work_off,
)
from tests.waiting import PATIENCE, eventually
from topics.delivery import DeliveryActivity, MessageOutcome, SendMessage
from topics.logs import TrackingLogged
from topics.targeting import RecordConsent

ADA = "ada@x.example"
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "accept-language": "en"}
BODY = (
    "<html><body><p>For {{ contact.first_name }} of {{ site.name }}</p>"
    '<a href="https://shop.example/spring?a=1&amp;b=2#top">Shop</a>'
    '<a href="https://shop.example/for/{{ contact.first_name }}">Yours</a>'
    '<a href="mailto:us@example.org">Write</a></body></html>'
)
SWITCHES = {"track_clicks": True, "track_opens": True, "mirror": True, "utm": True}


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    return await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        PUBLIC_URL="https://muster.example",
        TRACKING_WAIT_SECONDS="0.3",
    )


@asynccontextmanager
async def reading(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a browser of delivery's pages; events are written meanwhile."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_tracking_writer(runtime, stop))
    transport = httpx.ASGITransport(app=make_app(runtime))
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="https://muster.example", headers=BROWSER
        ) as found:
            yield found
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with reading(runtime) as found:
        yield found


async def deliver(runtime: Runtime, *addresses: str, **template: Any) -> Case:
    """Send a campaign over the followed template and return it."""
    case = Case([member(address) for address in addresses or (ADA,)])
    async with sending(runtime):
        await approved(runtime, case, **{"body": BODY} | SWITCHES | template)
        await runtime.execute(case.start())
        await finished(runtime, case)
    return case


async def links_in(catcher: Catcher, address: str = ADA) -> dict[str, str]:
    """Return the paths of the links in the last mail to an address, by what they are."""
    html = part((await catcher.to(address))[-1], "html")
    found = {}
    for name, form in (("mirror", r'"(https://muster.example/m/[^"]+)"'), ("open", r"/o/[^\"]+")):
        found[name] = re.findall(form, html)[0].removeprefix("https://muster.example")
    clicks = re.findall(r'href="https://muster\.example(/t/[^"]+)"', html)
    assert len(clicks) == 2
    found["shop"], found["yours"] = clicks
    return found


async def events(runtime: Runtime) -> list[tuple[int, int, bool, str]]:
    rows = await runtime.pool.fetch("SELECT * FROM tracking_log ORDER BY event_id")
    return [(row["kind"], row["url"], row["is_machine"], row["agent"]) for row in rows]


async def test_a_link_leads_to_its_target_and_its_click_is_written_before(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    case = await deliver(runtime)
    links = await links_in(catcher)
    answer = await client.get(links["shop"])
    assert answer.status_code == 302
    assert answer.headers["location"] == (
        "https://shop.example/spring?a=1&b=2"
        "&utm_source=muster&utm_medium=email&utm_campaign=Spring#top"
    )
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert await events(runtime) == [(1, 4, False, "browser")]
    row = await runtime.pool.fetchrow("SELECT run_id, member_id, source FROM tracking_log")
    assert row is not None
    assert (row["run_id"], row["member_id"]) == (case.run_id, case.members[0].member_id)
    personal = await client.get(links["yours"])
    assert personal.headers["location"].startswith("https://shop.example/for/Ada?utm_source=")
    told = [one for one in await said(runtime, DeliveryActivity) if one.counts.clicks]
    assert [(one.run_id, one.counts.clicks, one.sequence) for one in told] == [
        (case.run_id, 1, 1),
        (case.run_id, 1, 2),
    ]
    assert told[0].source == told[1].source


async def test_the_pixel_and_the_mirror_page_are_events_too(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    pixel = await client.get(links["open"])
    assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
    assert pixel.content[:6] == b"GIF89a"
    mirror = await client.get(links["mirror"])
    assert mirror.status_code == 200
    assert mirror.headers["content-security-policy"] == MIRROR_POLICY
    assert "For Ada of Moulin &lt;Neuf&gt;" in mirror.text
    assert 'href="https://shop.example/spring?a=1&amp;b=2#top"' in mirror.text
    assert 'href="https://shop.example/for/Ada"' in mirror.text
    assert f'href="https://muster.example{links["mirror"]}"' in mirror.text
    assert "/t/" not in mirror.text
    assert "/o/" not in mirror.text
    assert re.search(r"https://muster\.example/u/[\w=-]{64}", mirror.text)
    assert await events(runtime) == [(2, 1, False, "browser"), (6, 3, False, "browser")]


async def test_machines_are_labelled_and_written_all_the_same(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    gmail = "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    for path, agent in (
        (links["open"], "Mozilla/5.0"),
        (links["open"], gmail),
        (links["shop"], "Mozilla/5.0 (compatible; Barracuda Sentinel)"),
    ):
        await client.get(path, headers={"user-agent": agent})
    assert (await client.head(links["shop"])).status_code == 302
    await client.get(links["shop"], headers={"sec-purpose": "prefetch;prerender"})
    assert [(machine, agent) for _, _, machine, agent in await events(runtime)] == [
        (True, "apple mail privacy"),
        (True, "gmail image proxy"),
        (True, "security scanner"),
        (True, "head request"),
        (True, "prefetch"),
    ]


async def test_a_link_that_is_not_ours_is_a_page_and_never_a_redirect(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    head, number, piece = links["shop"].removeprefix("/t/").split(".")
    other = "Q" if piece.endswith("A") else "A"
    altered = [
        f"/t/{head}.5.{piece}",
        f"/t/{head}.{number}.{piece[:-1]}{other}",
        f"/t/{'A' * 43}.{number}.{piece}",
        "/t/https:%2F%2Fevil.example",
        "/t/x",
        links["mirror"].replace("/m/", "/t/"),
        links["shop"].replace("/t/", "/m/"),
    ]
    for path in altered:
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert "location" not in answer.headers
        assert "<script" not in answer.text
    assert "nulle part" in (await client.get("/t/x", headers={"accept-language": "fr-CH"})).text
    assert (await client.get("/o/x.gif")).content[:3] == b"GIF"
    assert await events(runtime) == []


async def test_a_proof_leads_to_plain_targets_and_follows_nothing(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    case = await deliver(runtime)
    html = part((await catcher.to(f"proof@{case.domain}"))[-1], "html")
    assert 'href="https://shop.example/spring?a=1&amp;b=2#top"' in html
    assert 'href="https://shop.example/for/Ada"' in html
    assert "/t/" not in html
    assert "/o/" not in html
    page = await client.get(re.findall(r"https://muster\.example(/m/[^\"]+)", html)[0])
    assert page.status_code == 200
    assert "link of a proof" in page.text
    assert await events(runtime) == []


async def test_an_erased_person_still_reaches_pages_that_need_nothing_of_theirs(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    case = await deliver(runtime)
    links = await links_in(catcher)
    await client.get(links["shop"])
    before = await runtime.pool.fetchrow("SELECT member_id, source FROM tracking_log")
    key = recipient_key(SECRET.encode(), "email", ADA)
    async with runtime.uow.begin() as work:
        await erase(work, key, ADA)
    assert await runtime.pool.fetchval("SELECT count(*) FROM personal_copies") == 0
    after = await runtime.pool.fetchrow("SELECT member_id, source FROM tracking_log")
    assert before is not None
    assert after is not None
    assert before["member_id"] == case.members[0].member_id
    assert after["member_id"] != before["member_id"]
    assert after["source"] != before["source"]
    assert (await client.get(links["shop"])).status_code == 302
    for name in ("yours", "mirror"):
        answer = await client.get(links[name])
        assert answer.status_code == 404
        assert "no longer kept" in answer.text


async def test_after_a_year_links_lead_on_and_nothing_is_written(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    await runtime.pool.execute("UPDATE runs SET asked_at = asked_at - interval '367 days'")
    assert (await client.get(links["shop"])).status_code == 302
    assert (await client.get(links["open"])).status_code == 200
    assert (await client.get(links["mirror"])).status_code == 404
    assert await events(runtime) == []


async def test_with_the_database_away_links_lead_on_and_clicks_are_written_later(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    assert (await client.get(links["shop"])).status_code == 302
    async with runtime.pool.acquire() as connection, connection.transaction():
        # A lock stands in for a database that does not answer.
        await connection.execute("LOCK TABLE tracking_log")
        answer = await client.get(links["shop"])
        assert answer.status_code == 302
        assert (await client.get(links["open"])).status_code == 200
        assert len(await events_within(connection)) == 1

    async def written() -> bool:
        return len(await events(runtime)) == 3

    await eventually(written, what="the events that were kept")


async def events_within(connection: Any) -> list[Any]:
    rows: list[Any] = await connection.fetch("SELECT 1 FROM tracking_log")
    return rows


async def test_a_link_nobody_followed_yet_asks_for_a_moment_while_the_database_is_away(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    async with runtime.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE runs")
        answer = await client.get(links["shop"])
        assert (answer.status_code, answer.headers["refresh"]) == (503, "2")
    assert (await client.get(links["shop"])).status_code == 302


def dropped() -> float:
    return REGISTRY.get_sample_value("muster_tracking_dropped_total") or 0.0


async def test_what_does_not_fit_in_memory_is_counted_as_dropped(
    open_service: Open, catcher: Catcher
) -> None:
    runtime = await open_service(
        SERVICE,
        SMTP_PORT=str(catcher.port),
        PROGRESS_SECONDS="0.1",
        PUBLIC_URL="https://muster.example",
        TRACKING_WAIT_SECONDS="0.05",
        TRACKING_QUEUE="100",
    )
    await deliver(runtime)
    links = await links_in(catcher)
    before = dropped()
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="https://m") as client:
        answers = await asyncio.gather(*(client.get(links["open"]) for _ in range(120)))
    assert {answer.status_code for answer in answers} == {200}
    assert dropped() - before == 20
    stop = asyncio.Event()
    stop.set()
    await writer_of(runtime).run(stop)
    assert len(await events(runtime)) == 100


async def test_an_event_written_twice_is_there_once(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    links = await links_in(catcher)
    await client.get(links["shop"])
    columns = "event_id, run_id, member_id, kind, url, at, source, agent, is_machine"
    with pytest.raises(Exception, match="duplicate key"):
        await runtime.pool.execute(
            f"INSERT INTO tracking_log ({columns}) SELECT {columns} FROM tracking_log"
        )


async def test_the_unsubscribe_button_is_an_event_of_its_run_once(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime)
    html = part((await catcher.to(ADA))[-1], "html")
    path = re.findall(r"https://muster\.example(/u/[^\"]+)", html)[0]
    await client.get(path)
    assert await events(runtime) == []
    for _ in range(3):
        assert (await client.post(path)).status_code == 200
    assert [(kind, url) for kind, url, _, _ in await events(runtime)] == [(3, 2)]
    assert (await said(runtime, RecordConsent))[0].opted_out


async def test_an_address_with_two_messages_opts_out_once(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await deliver(runtime, ADA, ADA, send_doubles=True)
    mails = [mail for mail in await catcher.to(ADA) if "BAT" not in str(mail["subject"])]
    assert len(mails) == 2
    for mail in mails:
        path = re.findall(r"https://muster\.example(/u/[^\"]+)", part(mail, "html"))[0]
        assert (await client.post(path)).status_code == 200
    assert [(kind, url) for kind, url, _, _ in await events(runtime)] == [(3, 2)]


async def test_an_opt_out_holds_at_once_for_a_mail_that_has_not_left(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    bob = "bob@x.example"
    case = Case([member(ADA), member(bob)])
    async with sending(runtime):
        await approved(runtime, case, body=BODY)
    await runtime.execute(case.start())
    await work_off(runtime)
    earlier = Link(
        recipient_key(SECRET.encode(), "email", ADA), uuid4(), last_day(runtime.clock.now())
    )
    token = token_of(SECRET.encode(), earlier)
    assert (await client.post(f"/u/{token}")).status_code == 200
    async with sending(runtime):
        end = await finished(runtime, case)
    assert (end.counts.sent, end.counts.ignored) == (1, 1)
    assert (len(await catcher.to(ADA)), len(await catcher.to(bob))) == (0, 1)


async def test_a_single_message_is_followed_and_told_to_no_live_view(
    runtime: Runtime, client: httpx.AsyncClient, catcher: Catcher
) -> None:
    await add_operators(runtime)
    case = Case([])
    body = '<p>{{ ctx.order }}</p><a href="https://shop.example/{{ ctx.order }}">Order</a>'
    await runtime.execute(case.template(subject="Order", body=body, **SWITCHES))
    command = SendMessage(
        message_id=uuid4(),
        template_id=case.template_id,
        address=ADA,
        recipient_key=recipient_key(SECRET.encode(), "email", ADA),
        ctx={"order": "A-7"},
    )
    async with sending(runtime):
        await runtime.execute(command)
        await first(runtime, MessageOutcome)
    html = part((await catcher.to(ADA))[0], "html")
    click = re.findall(r'href="https://muster\.example(/t/[^"]+)"', html)[0]
    answer = await client.get(click)
    assert answer.headers["location"] == (
        "https://shop.example/A-7?utm_source=muster&utm_medium=email"
    )
    mirror = await client.get(re.findall(r'"https://muster\.example(/m/[^"]+)"', html)[0])
    assert "<p>A-7</p>" in mirror.text
    assert "/u/" not in mirror.text
    rows = await runtime.pool.fetch("SELECT DISTINCT run_id, member_id FROM tracking_log")
    assert [tuple(row) for row in rows] == [(command.message_id, command.message_id)]
    assert await said(runtime, DeliveryActivity) == []
    for _ in range(2):
        async with runtime.uow.begin() as work:
            await consolidate_tracking(work)
    [logged] = await said(runtime, TrackingLogged)
    assert {(one.message_id, one.kind) for one in logged.entries} == {
        (command.message_id, EventKind.CLICK),
        (command.message_id, EventKind.MIRROR),
    }
    urls = {one.number: one.url for one in logged.urls}
    assert {one.number for one in logged.entries} == set(urls)
    assert "https://shop.example/{{ ctx.order }}" in urls.values()
    assert ADA not in logged.model_dump_json()
