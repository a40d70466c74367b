"""Extraction files: collected, written, mailed to the router, post-processed, removed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded.catcher import EmbeddedMail
from services.supplier.app import SERVICE
from services.supplier.clerk import Clerk
from services.supplier.erase import erase_recipient
from services.supplier.invariants import broken
from services.supplier.store.jobs import JobStore
from shared.clock import DrivenClock, SystemClock
from shared.errors import Permanent
from tests.conftest import Open
from tests.integration.supplier_story import Story, a_catcher, a_row, received
from tests.unit.actions.samples import REVIEWER
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.supplier import (
    ExtractionProduced,
    PostProcessingRecorded,
    SupplierNotified,
    SupplierRefused,
    SupplierServiceState,
)
from topics.workflows import Control, ControlWorkflow


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
    return told


AGAIN = """
INSERT INTO mail_attempts (attempt_id, file_id, started_at, ended_at, outcome)
SELECT gen_random_uuid(), file_id, now(), now(), outcome FROM mail_attempts
"""


def refusal(answers: list[Message]) -> SupplierRefused:
    (answer,) = answers
    assert isinstance(answer, SupplierRefused)
    return answer


async def test_a_run_goes_from_rows_to_post_processing(story: Story, catcher: EmbeddedMail) -> None:
    await story.extract(10)
    await story.finish()
    path = await story.file()
    content = path.read_bytes()
    lines = content.decode().split("\r\n")
    assert lines[0] == "recipient,site,street,postal_code,town,country"
    assert lines[1] == "Zoé Person 0,Site,1 rue du Port,59000,Lille,FR"
    assert len(lines) == 12
    (produced,) = await story.emitted(ExtractionProduced)
    assert produced.rows == 10
    assert produced.sha256 == hashlib.sha256(content).hexdigest()
    assert produced.file_name == path.name
    (told,) = await story.emitted(SupplierNotified)
    assert (told.rows, told.file_id) == (10, produced.file_id)
    assert len(await story.emitted(PostProcessingRecorded)) == 1
    (letter,) = await received(catcher, story.router)
    assert letter["subject"] == f"Campaign C-1042: file {path.name} (10 addressees)"
    attachment, note = letter["attachments"]
    assert note["filename"] == f"{path.name}.manifest.json"
    assert (attachment["filename"], attachment["size"]) == (path.name, len(content))
    assert await story.state() == "post_processed"
    await story.check()


async def test_a_french_service_is_written_to_in_french(
    story: Story, catcher: EmbeddedMail
) -> None:
    await story.runtime.execute(story.service(language="fr"))
    await story.extract(1)
    await story.finish()
    (letter,) = await received(catcher, story.router)
    assert letter["subject"].startswith("Campagne C-1042 : fichier")
    assert "données personnelles" in letter["text"]


async def test_chunks_doubled_and_out_of_order_make_one_file_in_order(story: Story) -> None:
    chunks = story.chunks([a_row(n) for n in range(25)])
    doubled = [*chunks, *chunks]
    random.Random(7).shuffle(doubled)
    for chunk in doubled:
        await story.runtime.execute(chunk)
    await story.finish()
    for chunk in chunks:
        await story.runtime.execute(chunk)
    await story.finish()
    lines = (await story.file()).read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == [f"Zoé Person {n}" for n in range(25)]
    assert len(await story.emitted(SupplierNotified)) == 1
    await story.check()


async def test_an_addressee_in_two_chunks_stands_in_the_file_once(story: Story) -> None:
    for chunk in story.chunks([a_row(1), a_row(2), a_row(1)], size=2):
        await story.runtime.execute(chunk)
    await story.finish()
    assert (await story.job())["rows"] == 2
    await story.check()


async def test_nothing_is_written_before_the_last_chunk(story: Story) -> None:
    *first, last = story.chunks([a_row(n) for n in range(10)])
    for chunk in first:
        await story.runtime.execute(chunk)
    await story.finish()
    assert await story.state() == "collecting"
    await story.runtime.execute(last)
    await story.finish()
    assert await story.state() == "post_processed"


async def test_an_unknown_service_refuses_the_run_once_and_keeps_nobody(story: Story) -> None:
    story.service_id = uuid4()
    first, second = story.chunks([a_row(n) for n in range(8)])
    refused = refusal(await story.runtime.execute(first))
    assert (refused.run_id, refused.subject_id) == (story.run_id, story.campaign_id)
    assert await story.runtime.execute(second) == []
    assert await story.runtime.pool.fetchval("SELECT count(*) FROM extraction_rows") == 0
    await story.check()


async def test_chunks_that_contradict_each_other_are_dead_letters(story: Story) -> None:
    first, second = story.chunks([a_row(n) for n in range(8)])
    await story.runtime.execute(first)
    with pytest.raises(Permanent):
        await story.runtime.execute(second.model_copy(update={"chunks": 9}))
    with pytest.raises(Permanent):
        await story.runtime.execute(second.model_copy(update={"index": 2}))


async def test_with_supplier_mgt_stopped_files_wait_also_those_that_were_ordered(
    story: Story,
) -> None:
    supervisor = uuid4()
    await story.runtime.execute(
        OperatorState(operator_id=supervisor, version=1, name="Sue", roles=(Role.SUPERVISOR,))
    )
    await story.extract(3)
    await story.order()
    control = ControlWorkflow(
        name="supplierMgt", control=Control.STOP, actor=Actor(id=str(supervisor), via=Via.WEB)
    )
    await story.runtime.execute(control)
    assert not await story.step()
    assert await story.state() == "rows_complete"
    await story.runtime.execute(control.model_copy(update={"control": Control.START}))
    await story.finish()
    assert await story.state() == "post_processed"


async def test_a_file_that_was_written_and_not_recorded_is_written_again_the_same(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.extract(3)
    await story.order()
    monkeypatch.setattr("services.supplier.clerk.JobStore.count_rows", _killed)
    with pytest.raises(ConnectionError):
        await story.step()
    before = (await story.file()).read_bytes()
    monkeypatch.undo()
    assert not await story.step(), "the dead clerk's lease has not run out"
    await story.due_now()
    await story.finish()
    assert (await story.file()).read_bytes() == before
    assert len(await story.emitted(ExtractionProduced)) == 1
    assert await story.state() == "post_processed"
    await story.check()


async def _killed(*_: object) -> int:
    raise ConnectionError("killed here")


async def test_a_clerk_whose_lease_ran_out_changes_nothing_afterwards(story: Story) -> None:
    await story.extract(3)
    await story.order()
    slow = Clerk(story.runtime.uow, story.settings)
    async with story.runtime.uow.begin() as work:
        stale = await JobStore(work.connection).claim(60)
    assert stale is not None
    await story.due_now()
    await story.finish()
    await slow._carry_out(stale)
    assert len(await story.emitted(ExtractionProduced)) == 1
    assert await story.state() == "post_processed"


async def test_a_file_that_is_gone_is_written_again_before_it_is_mailed(
    story: Story, catcher: EmbeddedMail
) -> None:
    await story.extract(3)
    await story.order()
    await story.step()
    content = (await story.file()).read_bytes()
    (await story.file()).unlink()
    await story.finish()
    assert (await story.file()).read_bytes() == content
    assert len(await received(catcher, story.router)) == 1
    assert len(await story.emitted(ExtractionProduced)) == 1
    await story.check()


async def test_a_folder_that_cannot_be_written_puts_the_file_off_and_says_so(
    open_service: Open, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file stands where the folder should be")
    taken = {"SUPPLIER_FILES": str(tmp_path / "taken")}
    story = Story(await open_service(SERVICE, **environment | taken))
    await story.prepare()
    await story.extract(1)
    await story.finish()
    job = await story.job()
    assert job["state"] == "rows_complete"
    assert job["error"].startswith("SUPPLIER_FILES: ")
    assert job["next_at"] > job["changed_at"]
    (tmp_path / "taken").unlink()
    await story.due_now()
    await story.finish()
    assert await story.state() == "post_processed"


async def test_files_and_rows_are_removed_after_the_retention(
    open_service: Open, environment: dict[str, str]
) -> None:
    clock = DrivenClock(SystemClock().now())
    story = Story(await open_service(SERVICE, clock=clock, **environment))
    await story.prepare()
    await story.extract(3)
    await story.finish()
    clock.advance(timedelta(days=29))
    await story.finish()
    assert (await story.file()).exists()
    clock.advance(timedelta(days=2))
    await story.finish()
    assert await story.state() == "removed"
    assert not (await story.file()).parent.exists()
    assert await story.runtime.pool.fetchval("SELECT count(*) FROM extraction_rows") == 0
    await story.check()


async def test_an_erased_addressee_leaves_the_rows_and_an_unmailed_file(
    story: Story, catcher: EmbeddedMail
) -> None:
    await story.extract(3)
    await story.order()
    await story.step()
    async with story.runtime.uow.begin() as work:
        assert await erase_recipient(work, a_row(1).recipient_id) == 1
    await story.finish()
    assert "Person 1" not in (await story.file()).read_text()
    (told,) = await story.emitted(SupplierNotified)
    assert told.rows == 2
    assert len(await story.emitted(ExtractionProduced)) == 1
    assert len(await received(catcher, story.router)) == 1
    async with story.runtime.uow.begin() as work:
        assert await erase_recipient(work, a_row(2).recipient_id) == 1
    await story.check()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"columns": ("recipient", "salary")}, "columns"),
        ({"file_pattern": "../{number}.csv"}, "file_pattern"),
        ({"file_pattern": "{number.__class__}.csv"}, "file_pattern"),
        ({"router_address": "a@b.example, c@d.example"}, "router_address"),
        ({"actor": REVIEWER}, None),
    ],
)
async def test_a_service_that_could_do_harm_is_refused_with_its_field(
    story: Story, change: dict[str, object], field: str | None
) -> None:
    story.service_id = uuid4()
    answer = refusal(await story.runtime.execute(story.service(**change)))
    assert (answer.subject_id, answer.field) == (story.service_id, field)
    assert await story.runtime.pool.fetchval("SELECT count(*) FROM services") == 1


async def test_a_saved_service_is_published_with_its_version(story: Story) -> None:
    (state,) = await story.runtime.execute(story.service(label="Letters and cards"))
    assert isinstance(state, SupplierServiceState)
    assert (state.version, state.label) == (2, "Letters and cards")


async def test_files_are_listed_and_downloaded_by_who_may(story: Story) -> None:
    await story.extract(3)
    await story.finish()
    async with story.caller() as client:
        page = (await client.get("/jobs", params={"campaign_id": str(story.campaign_id)})).json()
        (job,) = page["jobs"]
        assert (page["started"], job["rows"], job["supplier"]) == (True, 3, "Imprimerie Morel")
        answer = await client.get(f"/jobs/{job['file_id']}/file")
        assert answer.content == (await story.file()).read_bytes()
        assert answer.headers["content-disposition"].endswith(f'"{job["file_name"]}"')
        attempts = (await client.get(f"/jobs/{job['file_id']}/attempts")).json()
        assert [one["outcome"] for one in attempts] == ["accepted"]
        assert (await client.get(f"/jobs/{uuid4()}/file")).status_code == 404
        assert len((await client.get("/services")).json()) == 1
        (await story.file()).write_text("changed on disk")
        assert (await client.get(f"/jobs/{job['file_id']}/file")).status_code == 404
    async with story.caller(REVIEWER) as client:
        assert (await client.get(f"/jobs/{job['file_id']}")).status_code == 200
        assert (await client.get(f"/jobs/{job['file_id']}/file")).status_code == 403


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DELETE FROM extraction_rows WHERE ordinal = 0", "a file's count is its rows"),
        ("DELETE FROM extraction_chunks WHERE index = 0", "from all its chunks"),
        ("UPDATE jobs SET sha256 = NULL", "name and SHA-256"),
        ("DELETE FROM mail_attempts", "a notified router took the mail"),
        (
            AGAIN,
            "a router takes a file twice",
        ),
        ("UPDATE mail_attempts SET outcome = NULL", "an attempt without outcome"),
    ],
)
async def test_a_broken_row_is_named_by_its_invariant(
    story: Story, damage: str, named: str
) -> None:
    await story.extract(3)
    await story.finish()
    await story.check()
    await story.runtime.pool.execute(damage)
    async with story.runtime.pool.acquire() as connection:
        assert any(named in line for line in await broken(connection))
