"""Files over HTTP into mails: uploaded once, named by templates, part of what is approved."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.delivery.app import SERVICE
from shared.http import create_app
from shared.identity import HEADER, issue
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    actor,
    add_operators,
    approved,
    finished,
    member,
    sending,
)

API = "/api/v1/delivery"
PDF = b"%PDF-1.7 " + bytes(range(256)) * 40


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    found = await open_service(SERVICE, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1")
    await add_operators(found)
    return found


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as found:
        found.headers[HEADER] = issue(
            runtime.settings.secret, actor(MANAGER), audience="delivery", now=runtime.clock.now()
        )
        yield found


async def upload(client: httpx.AsyncClient, content: bytes) -> str:
    answer = await client.post(f"{API}/attachments", json={"content": b64encode(content).decode()})
    assert answer.status_code == 201, answer.text
    assert answer.json()["size_bytes"] == len(content)
    found: str = answer.json()["sha256"]
    return found


async def test_an_attached_file_reaches_proof_and_recipient(
    client: httpx.AsyncClient, runtime: Runtime, catcher: Catcher
) -> None:
    digest = await upload(client, PDF)
    assert await upload(client, PDF) == digest
    file = {"name": "Été.pdf", "content_type": "application/pdf", "sha256": digest}
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case, service=False, attachments=(file,))
        await runtime.execute(case.start())
        await finished(runtime, case)
    for address in (f"proof@{case.domain}", "a@x.example"):
        [mail] = await catcher.to(address)
        [part] = mail.iter_attachments()
        assert (part.get_filename(), part.get_payload(decode=True)) == ("Été.pdf", PDF)
    shown = await client.get(f"{API}/templates/{case.template_id}")
    assert shown.json()["attachments"] == [file]


async def test_a_change_of_files_voids_the_approval(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    digest = await upload(client, b"a;b")
    case = Case([member("a@x.example")])
    async with sending(runtime):
        await approved(runtime, case, service=False)
    file = {"name": "a.csv", "content_type": "text/csv", "sha256": digest}
    await runtime.execute(case.template(attachments=(file,)))
    row = await runtime.pool.fetchrow("SELECT outcome, reason FROM approvals")
    assert row is not None
    assert (row["outcome"], row["reason"]) == ("withdrawn", "its template was edited")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sha256": "0" * 64}, "number 1 was not uploaded"),
        ({"name": "a.exe"}, "number 1 has a name for another type"),
        ({"content_type": "text/html"}, "number 1 cannot be attached"),
    ],
)
async def test_a_template_with_a_file_that_cannot_be_sent_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any], reason: str
) -> None:
    digest = await upload(client, b"a;b")
    file = {"name": "a.csv", "content_type": "text/csv", "sha256": digest} | change
    body = Case([]).template().model_dump(mode="json", exclude={"actor"}) | {"attachments": [file]}
    answer = await client.post(f"{API}/templates", json=body)
    assert (answer.status_code, answer.json()["field"]) == (409, "attachments")
    assert reason in answer.text


async def test_too_large_and_empty_files_and_other_peoples_are_refused(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    for content in (b"", b"x" * (10 * 1024 * 1024 + 1)):
        body = {"content": b64encode(content).decode()}
        answer = await client.post(f"{API}/attachments", json=body)
        assert (answer.status_code, answer.json()["field"]) == (409, "content")
    assert (await client.post(f"{API}/attachments", json={"content": "no?"})).status_code == 422
    token = issue(
        runtime.settings.secret, actor(REVIEWER), audience="delivery", now=runtime.clock.now()
    )
    body = {"content": b64encode(b"x").decode()}
    answer = await client.post(f"{API}/attachments", json=body, headers={HEADER: token})
    assert answer.status_code == 403
