"""Letters as files of a supplier's extraction: each in one file once, whatever dies on the way."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.catcher import EmbeddedMail
from services.supplier import files, press
from services.supplier.app import SERVICE
from services.supplier.erase import erase_recipient
from services.supplier.invariants import broken
from tests.conftest import REPOSITORY, Open
from tests.instances import Instance
from tests.integration.supplier_story import Story, a_catcher, a_row, received
from topics.letters import LetterSource, LetterWindow
from topics.supplier import ExtractionProduced, ExtractionRow, LettersFailed, SupplierRefused

LETTER = LetterSource(
    source="Dear #data.contact.first_name,\n"
    '#if data.contact.last_name == "Person 7" [#pagebreak() More.]',
    language="fr",
    window=LetterWindow.NF_Z11_001,
)


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


def addressees(count: int) -> list[ExtractionRow]:
    return [a_row(n, first_name="Zoé", last_name=f"Person {n}") for n in range(count)]


async def extract(story: Story, rows: list[ExtractionRow], letter: LetterSource = LETTER) -> None:
    for chunk in story.chunks(rows, size=50):
        await story.runtime.execute(chunk.model_copy(update={"letter": letter}))


async def folder(story: Story) -> Path:
    return (await story.file()).parent


async def names(story: Story) -> list[str]:
    return sorted(path.name for path in (await folder(story)).iterdir())


async def index(story: Story) -> list[dict[str, str]]:
    text = ((await folder(story)) / "letters.csv").read_text()
    return list(csv.DictReader(io.StringIO(text)))


async def test_letters_come_with_the_addresses_indexed_and_counted(
    story: Story, catcher: EmbeddedMail
) -> None:
    await extract(story, addressees(120))
    await story.finish()
    await story.check()
    job = await story.job()
    assert (job["state"], job["rows"], job["pages"]) == ("post_processed", 120, 121)
    assert await names(story) == sorted(
        [job["file_name"], "letters.csv", "letters-0001.pdf", "letters-0002.pdf"]
    )
    lines = await index(story)
    assert [line["recipient_id"] for line in lines] == [
        str(row.recipient_id) for row in addressees(120)
    ]
    assert lines[7:9] == [
        a_line("letters-0001.pdf", 8, 7, first_page=8, pages=2),
        a_line("letters-0001.pdf", 9, 8, first_page=10, pages=1),
    ]
    assert lines[100] == a_line("letters-0002.pdf", 1, 100, first_page=1, pages=1)
    [mail] = await received(catcher, story.router)
    assert [one["filename"] for one in mail["attachments"]] == [
        job["file_name"],
        f"{job['file_name']}.manifest.json",
        "letters.csv",
        "letters-0001.pdf",
        "letters-0002.pdf",
    ]
    assert "121 pages in PDF files, attached" in mail["text"]
    [event] = await story.emitted(ExtractionProduced)
    assert event.rows == 120


def a_line(file: str, position: int, row: int, *, first_page: int, pages: int) -> dict[str, str]:
    return {
        "file": file,
        "position": str(position),
        "recipient_id": str(a_row(row).recipient_id),
        "first_page": str(first_page),
        "pages": str(pages),
    }


async def test_letters_that_are_too_big_for_a_mail_are_downloaded(
    open_service: Open, environment: dict[str, str], catcher: EmbeddedMail
) -> None:
    runtime = await open_service(SERVICE, **environment, SUPPLIER_ATTACH_BYTES="100")
    story = Story(runtime)
    await story.prepare()
    await extract(story, addressees(3))
    await story.finish()
    [mail] = await received(catcher, story.router)
    assert [one["filename"] for one in mail["attachments"]][2:] == ["letters.csv"]
    assert "behind the link above" in mail["text"]
    assert f"{story.settings.public_url}/f/" in mail["text"]
    job = await story.job()
    async with story.caller() as client:
        [line] = (await client.get(f"/jobs/{job['file_id']}/letters")).json()
        assert (line["name"], line["letters"], line["pages"]) == ("letters-0001.pdf", 3, 3)
        found = await client.get(f"/jobs/{job['file_id']}/letters/1")
        assert found.headers["content-type"] == "application/pdf"
        assert found.content.startswith(b"%PDF-")
        listed = await client.get(f"/jobs/{job['file_id']}/letters/index")
        assert listed.text.count("\r\n") == 4
        assert (await client.get(f"/jobs/{job['file_id']}/letters/2")).status_code == 404


CHILD = """
import asyncio
from services.supplier.app import SERVICE
from services.supplier.clerk import Clerk
from shared.service import open_runtime
from shared.settings import load
async def main():
    runtime = await open_runtime(SERVICE, load(SERVICE.settings))
    await Clerk(runtime.uow, runtime.settings).step()
asyncio.run(main())
"""


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_press_killed_between_file_and_record_sets_the_same_letters_again(
    nth: int, story: Story, instance: Instance, environment: dict[str, str]
) -> None:
    await extract(story, addressees(150))
    await story.order()
    variables = instance.environment(**environment, MUSTER_FAULT=f"kill:press.before_record:{nth}")
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CHILD],
        env={**os.environ, **variables},
        cwd=REPOSITORY,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    left = (await folder(story)) / f"letters-000{nth}.pdf"
    before = left.read_bytes()
    await story.due_now()
    await story.finish()
    await story.check()
    assert left.read_bytes() == before
    lines = await index(story)
    ids = [line["recipient_id"] for line in lines]
    assert len(ids) == len(set(ids)) == 150
    assert (await story.job())["pages"] == 151 == sum(int(line["pages"]) for line in lines)
    assert len(await story.emitted(ExtractionProduced)) == 1


async def test_somebody_erased_while_their_letter_is_set_is_in_no_file(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = a_row(3).recipient_id
    await extract(story, addressees(5))
    await story.order()

    async def erased() -> None:
        async with story.runtime.uow.begin() as work:
            await erase_recipient(work, gone)

    await erase_at(monkeypatch, erased)
    await story.step()
    monkeypatch.undo()
    await story.due_now()
    await story.finish()
    await story.check()
    assert str(gone) not in [line["recipient_id"] for line in await index(story)]
    job = await story.job()
    assert (job["rows"], job["pages"], job["state"]) == (4, 4, "post_processed")


async def erase_at(monkeypatch: pytest.MonkeyPatch, erased: Any) -> None:
    """Have somebody erased after the file of their letter is written, before it is recorded."""
    whole = files.on_disk
    pending = [erased]

    async def on_disk(function: Any, *words: Any) -> Any:
        found = await whole(function, *words)
        if getattr(function, "__name__", "") == "place" and pending:
            await pending.pop()()
        return found

    monkeypatch.setattr(press, "on_disk", on_disk)


async def test_somebody_erased_before_the_mail_is_taken_out_of_their_file(story: Story) -> None:
    await extract(story, addressees(120))
    await story.order()
    await story.step()
    before = ((await folder(story)) / "letters-0002.pdf").read_bytes()
    async with story.runtime.uow.begin() as work:
        await erase_recipient(work, a_row(3).recipient_id)
    await story.due_now()
    await story.finish()
    await story.check()
    job = await story.job()
    assert (job["rows"], job["pages"]) == (119, 120)
    assert len(await index(story)) == 119
    assert ((await folder(story)) / "letters-0002.pdf").read_bytes() == before


async def test_only_those_whose_letter_cannot_be_set_get_none(story: Story) -> None:
    picky = LETTER.model_copy(
        update={"source": "#int(data.site.postal_code) for #data.contact.last_name"}
    )
    rows = addressees(9)
    rows[2] = a_row(2, postal_code="SW1A 1AA")
    rows[5] = a_row(5, postal_code="")
    await extract(story, rows, picky)
    await story.finish()
    await story.check()
    [event] = await story.emitted(LettersFailed)
    assert set(event.recipient_ids) == {rows[2].recipient_id, rows[5].recipient_id}
    assert "SW1A" not in event.reason
    job = await story.job()
    assert (job["rows"], job["pages"], job["state"]) == (7, 7, "post_processed")


async def test_letters_of_which_none_can_be_set_are_refused(story: Story) -> None:
    await extract(story, addressees(3), LETTER.model_copy(update={"source": "#data.nothing"}))
    await story.finish()
    await story.check()
    assert await story.state() == "refused"
    [refusal] = await story.emitted(SupplierRefused)
    assert (refusal.run_id, "none of the letters" in refusal.reason) == (story.run_id, True)


async def test_a_count_of_letters_that_is_wrong_is_seen(story: Story) -> None:
    await extract(story, addressees(3))
    await story.finish()
    await story.runtime.pool.execute("UPDATE letter_batches SET pages = '{1,1}'")
    async with story.runtime.pool.acquire() as connection:
        said = [line.partition(":")[0] for line in await broken(connection)]
    assert said == ["every letter is in one PDF file once", "pages of letters add up"]
