"""The mail to the router when servers refuse, break off or are killed, and what people decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.embedded.catcher import EmbeddedMail
from deploy.embedded.ports import free_port
from services.supplier.app import SERVICE
from shared.mail import sending
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.supplier_story import Story, a_catcher, a_row, received, script
from tests.integration.test_core import running, send
from tests.unit.actions.samples import REVIEWER
from tests.waiting import eventually
from topics.names import SUPPLIER_EVENTS, SUPPLIER_STATE, WORKFLOWS_EVENTS, WORKFLOWS_STATE
from topics.supplier import SupplierNotified


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMail]:
    with a_catcher(tmp_path_factory.mktemp("catcher")) as server:
        yield server


@pytest.fixture
def environment(catcher: EmbeddedMail, tmp_path: Path) -> dict[str, str]:
    return {"SMTP_PORT": str(catcher.smtp_port), "SUPPLIER_FILES": str(tmp_path / "files")}


@pytest.fixture
async def story(open_service: Open, environment: dict[str, str]) -> Story:
    told = Story(await open_service(SERVICE, **environment))
    await told.prepare()
    await told.extract(3)
    return told


async def outcomes(story: Story) -> list[str | None]:
    rows = await story.runtime.pool.fetch("SELECT outcome FROM mail_attempts ORDER BY started_at")
    return [row["outcome"] for row in rows]


def rule(story: Story, action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "recipient": story.router, **more}


async def test_a_mail_that_is_put_off_is_tried_again_later(
    story: Story, catcher: EmbeddedMail
) -> None:
    await script(catcher, rule(story, "refuse_message", code=451, times=1))
    await story.finish()
    job = await story.job()
    assert (job["state"], job["error"]) == (
        "file_written",
        "not taken yet (451 4.0.0): tried again by itself",
    )
    assert job["next_at"] > job["changed_at"]
    await story.finish()
    assert await outcomes(story) == ["deferred"], "not before its time"
    await story.due_now()
    await story.finish()
    assert await outcomes(story) == ["deferred", "accepted"]
    assert len(await received(catcher, story.router)) == 1
    await story.check()


async def test_a_server_that_is_not_there_puts_the_mail_off(
    open_service: Open, environment: dict[str, str]
) -> None:
    nobody = {"SMTP_PORT": str(free_port())}
    story = Story(await open_service(SERVICE, **environment | nobody))
    await story.prepare()
    await story.extract(3)
    await story.finish()
    assert await outcomes(story) == ["deferred"]
    assert await story.state() == "file_written"


async def test_a_mail_that_is_refused_for_good_waits_for_a_mended_address(
    story: Story, catcher: EmbeddedMail
) -> None:
    await script(catcher, rule(story, "refuse_recipient", code=550))
    await story.finish()
    job = await story.job()
    assert job["state"] == "failed"
    assert "550" in job["error"]
    await story.due_now()
    await story.finish()
    assert await outcomes(story) == ["refused"], "it is not tried again by itself"
    story.router = f"mended-{uuid4().hex[:8]}@morel.example"
    await story.runtime.execute(story.service())
    async with story.caller() as http:
        path = f"/jobs/{job['file_id']}/decision"
        assert (await http.post(path, json={"decision": "send_again"})).status_code == 204
    await story.finish()
    assert await story.state() == "post_processed"
    assert len(await received(catcher, story.router)) == 1
    await story.check()


async def test_after_too_many_delays_a_mail_has_failed(
    open_service: Open, environment: dict[str, str], catcher: EmbeddedMail
) -> None:
    story = Story(await open_service(SERVICE, SUPPLIER_MAIL_ATTEMPTS="2", **environment))
    await story.prepare()
    await story.extract(3)
    await script(catcher, rule(story, "refuse_message", code=451))
    for _ in range(3):
        await story.finish()
        await story.due_now()
    assert await outcomes(story) == ["deferred", "deferred"]
    assert await story.state() == "failed"


async def test_a_server_that_breaks_off_after_the_data_leaves_the_mail_ambiguous(
    story: Story, catcher: EmbeddedMail
) -> None:
    await script(catcher, rule(story, "drop_after_keep"))
    await story.finish()
    assert await outcomes(story) == ["ambiguous"]
    assert await story.emitted(SupplierNotified) == []
    await story.due_now()
    await story.finish()
    assert len(await received(catcher, story.router)) == 1, "nothing is sent again by itself"
    async with story.caller() as http:
        (listed,) = (await http.get("/jobs", params={"state": "ambiguous"})).json()["jobs"]
        path = f"/jobs/{listed['file_id']}/decision"
        async with story.caller(REVIEWER) as other:
            assert (await other.post(path, json={"decision": "sent"})).status_code == 403
        assert (await http.post(path, json={"decision": "sent"})).status_code == 204
        assert (await http.post(path, json={"decision": "sent"})).status_code == 409
    await story.finish()
    assert await story.state() == "post_processed"
    assert len(await story.emitted(SupplierNotified)) == 1
    await story.check()


async def test_a_clerk_killed_before_the_call_was_answered_leaves_the_mail_ambiguous(
    story: Story, catcher: EmbeddedMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    await script(catcher)
    await story.order()
    await story.step()
    await story.order()
    monkeypatch.setattr(sending, "send", _killed)
    with pytest.raises(ConnectionError):
        await story.step()
    monkeypatch.undo()
    assert await outcomes(story) == [None]
    await story.finish()
    assert await story.state() == "mail_attempted", "its lease has not run out"
    await story.due_now()
    await story.finish()
    assert await story.state() == "ambiguous"
    assert await outcomes(story) == ["ambiguous"]
    async with story.caller() as http:
        path = f"/jobs/{(await story.job())['file_id']}/decision"
        await http.post(path, json={"decision": "send_again"})
    await story.finish()
    assert await outcomes(story) == ["ambiguous", "accepted"]
    assert len(await story.emitted(SupplierNotified)) == 1
    await story.check()


async def _killed(*_: object, **__: object) -> None:
    raise ConnectionError("killed in the call")


async def test_an_answer_that_comes_late_settles_what_was_taken_for_ambiguous(
    story: Story, catcher: EmbeddedMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    await script(catcher)
    really = sending.send

    async def slowly(*arguments: Any, **named: Any) -> Any:
        answer = await really(*arguments, **named)
        await story.due_now()
        await story.order()
        assert await story.state() == "ambiguous"
        return answer

    monkeypatch.setattr(sending, "send", slowly)
    await story.finish()
    assert await story.state() == "post_processed"
    assert await outcomes(story) == ["accepted"]
    assert len(await story.emitted(SupplierNotified)) == 1
    await story.check()


async def test_over_kafka_doubled_chunks_end_in_one_mail_to_the_router(
    open_service: Open, environment: dict[str, str], catcher: EmbeddedMail
) -> None:
    await script(catcher)
    runtime = await open_service(SERVICE, **environment)
    story = Story(runtime)
    await story.prepare()
    await make_topics(
        runtime.settings,
        *runtime.topics,
        *(SUPPLIER_EVENTS, SUPPLIER_STATE, WORKFLOWS_EVENTS, WORKFLOWS_STATE),
    )
    chunks = story.chunks([a_row(n) for n in range(2500)], size=500)
    async with running(runtime):
        await send(runtime, *reversed(chunks), *chunks)
        await eventually(
            lambda: runtime.pool.fetchval("SELECT state = 'post_processed' FROM jobs"), seconds=60
        )
        (letter,) = await received(catcher, story.router)
        assert letter["subject"].endswith("(2500 addressees)")
        await story.check()
