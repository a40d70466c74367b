"""DKIM keys in the database, over the API and on the command line; mails signed with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import dkim
import httpx
import pytest

from services.delivery.app import SERVICE
from services.delivery.composers import KEYS_KEPT, Composers
from services.delivery.dkim import keeping
from services.delivery.dkim.keeping import signer_of
from services.delivery.dkim.keys import record_of
from services.delivery.dkim.signing import Algorithm
from services.delivery.domain.runs import RunKind
from services.delivery.settings import DeliverySettings
from services.delivery.store.sending import Claimed
from shared.http import create_app
from shared.identity import HEADER, issue
from shared.sealing import WrongSecret
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.cli_shell import Shell, shell
from tests.integration.delivery_harness import (
    MANAGER,
    Case,
    actor,
    add_operators,
    approved,
    catching,
    finished,
    member,
    operator,
    sending,
)
from tests.servers import Servers
from topics.operators import Role

ADMIN = uuid4()
KEYS = "/api/v1/delivery/dkim"


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    found = await open_service(SERVICE, PUBLIC_URL="https://muster.example")
    await add_operators(found)
    await found.execute(operator(ADMIN, Role.ADMINISTRATOR))
    return found


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as found:
        yield found


def by(runtime: Runtime, who: UUID) -> dict[str, str]:
    token = issue(runtime.settings.secret, actor(who), audience="delivery", now=runtime.clock.now())
    return {HEADER: token}


async def add(client: httpx.AsyncClient, runtime: Runtime, **fields: Any) -> dict[str, Any]:
    answer = await client.post(
        KEYS, json={"domain": "example.org"} | fields, headers=by(runtime, ADMIN)
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def signed(composers: Composers, template_hash: str, now: datetime) -> bytes:
    row = Claimed(
        run_id=uuid4(),
        member_id=uuid4(),
        recipient_key="ab" * 16,
        address="ada@x.example",
        merge={"contact": {"first_name": "Zoé"}, "site": {"name": "Moulin"}},
        number=1,
        kind=RunKind.CAMPAIGN,
        template_hash=template_hash,
        campaign_number=7,
        campaign_label="Spring",
        subject_prefix="",
        retry_until=now,
    )
    found = await composers.of([template_hash], now=now)
    return found[template_hash].compose(row, at=now)


def look_up(records: dict[str, str], name: bytes, timeout: int = 5) -> bytes:
    assert timeout
    return records[name.decode().rstrip(".")].encode()


def selectors(mail: bytes, records: dict[str, str]) -> list[str]:
    """Return the selectors of a mail's signatures, each verified."""
    found = []
    for i in range(mail.count(b"DKIM-Signature:")):
        one = dkim.DKIM(mail)
        assert one.verify(idx=i, dnsfunc=partial(look_up, records))
        found.append(one.selector.decode())
    return found


async def test_keys_are_made_taken_over_and_retired(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.execute(Case([member("a@x.example")]).template())
    [template_hash] = [
        row["template_hash"] for row in await runtime.pool.fetch("SELECT * FROM templates")
    ]
    composers = Composers(runtime.pool, cast("DeliverySettings", runtime.settings))
    now = runtime.clock.now()
    assert b"DKIM-Signature" not in await signed(composers, template_hash, now)

    made = [
        await add(client, runtime, selector="one", in_hours=0),
        await add(client, runtime, selector="two", in_hours=2),
        await add(client, runtime, selector="ed", algorithm="ed25519", in_hours=0),
        await add(client, runtime, domain="other.example", selector="other", in_hours=0),
    ]
    records = {key["record_name"]: key["record"] for key in made}
    assert b"DKIM-Signature" not in await signed(composers, template_hash, now)
    now = runtime.clock.now() + KEYS_KEPT
    assert selectors(await signed(composers, template_hash, now), records) == ["ed", "one"]
    now += timedelta(hours=2)
    assert selectors(await signed(composers, template_hash, now), records) == ["ed", "two"]

    gone = await client.delete(f"{KEYS}/example.org/two", headers=by(runtime, ADMIN))
    assert gone.json()["retired_at"] is not None
    kept = await runtime.pool.fetchval("SELECT sealed_key FROM dkim_keys WHERE selector = 'two'")
    assert kept is None
    now += KEYS_KEPT
    assert selectors(await signed(composers, template_hash, now), records) == ["ed", "one"]
    shown = await client.get(KEYS, headers=by(runtime, MANAGER))
    assert [key["selector"] for key in shown.json()] == ["two", "ed", "one", "other"]
    assert "PRIVATE" not in shown.text


async def test_the_senders_mails_are_signed(open_service: Open, tmp_path: Path) -> None:
    async with catching(tmp_path) as catcher:
        runtime = await open_service(SERVICE, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1")
        await add_operators(runtime)
        async with runtime.uow.begin() as work:
            key = await keeping.add(
                work, domain="example.org", selector="one", algorithm=Algorithm.RSA, in_hours=0
            )
        case = Case([member("a@x.example", language="fr")])
        async with sending(runtime):
            await approved(runtime, case, service=False)
            await runtime.execute(case.start())
            await finished(runtime, case)
        records = {"one._domainkey.example.org": record_of(key.algorithm, key.public_key)}
        mails = [mail.raw for mail in await catcher.store.after(0, 10)]
        # A receiver's own headers stand before those that were sent.
        assert [selectors(mail, records) for mail in mails] == [["one"]] * 2


async def test_a_key_of_another_secret_is_refused_rather_than_left_out(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await add(client, runtime, in_hours=0)
    now = runtime.clock.now() + timedelta(seconds=1)
    async with runtime.pool.acquire() as connection:
        with pytest.raises(WrongSecret, match=r"_domainkey\.example\.org"):
            await signer_of(connection, b"another secret", "example.org", now)


async def test_keys_need_an_administrator_and_names_of_the_dns(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    body = {"domain": "example.org", "selector": "one"}
    assert (await client.post(KEYS, json=body, headers=by(runtime, MANAGER))).status_code == 403
    gone = await client.delete(f"{KEYS}/example.org/one", headers=by(runtime, MANAGER))
    assert gone.status_code == 403
    await add(client, runtime, **body)
    for wrong, field in (
        (body, "selector"),
        (body | {"domain": "no domain"}, "domain"),
        (body | {"selector": "a b"}, "selector"),
    ):
        answer = await client.post(KEYS, json=wrong, headers=by(runtime, ADMIN))
        assert (answer.status_code, answer.json()["field"]) == (409, field)
    nobody = await client.delete(f"{KEYS}/example.org/none", headers=by(runtime, ADMIN))
    assert nobody.status_code == 409


@pytest.fixture
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("dkim")) as made:
        assert made.muster("migrate").code == 0
        yield made


def test_the_command_line_prints_what_to_publish(cli: Shell) -> None:
    words = ("delivery", "dkim")
    assert "unsigned" in cli.does(*words, "list")
    added = cli.does(*words, "add", "Example.org", "--selector", "one", "--algorithm", "ed25519")
    assert 'one._domainkey.example.org. IN TXT ( "v=DKIM1; k=ed25519; p=' in added
    again = cli.muster(*words, "add", "example.org", "--selector", "one")
    assert again.code != 0
    assert "selector: example.org has a key one already" in again.output + again.error
    assert "one._domainkey.example.org. IN TXT" in cli.does(*words, "list")
    assert "signs no more" in cli.does(*words, "retire", "example.org", "one")
    assert "IN TXT" not in cli.does(*words, "list")
