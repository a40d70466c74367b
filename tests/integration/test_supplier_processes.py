"""What a service may ask for beyond a mail with CSV: formats, approvals, links, results."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.embedded.catcher import EmbeddedMail
from services.supplier import writing
from services.supplier.app import SERVICE
from services.supplier.deciding import decide
from services.supplier.domain.jobs import Decision
from services.supplier.erase import erase, erase_recipient
from services.supplier.invariants import broken
from services.supplier.links import REVIEW_DAYS
from services.supplier.postprocessing import apply_next
from services.supplier.proofs import submit
from services.supplier.reporting import take_in
from shared.clock import DrivenClock, SystemClock
from shared.errors import Refused
from tests.conftest import Open
from tests.integration.supplier_story import Story, a_catcher, a_row, received, script
from tests.unit.actions.samples import MANAGER, REVIEWER
from topics.delivery import ApprovalDecided, ApprovalKind, ApprovalOutcome
from topics.supplier import (
    Ending,
    ExtractionProduced,
    ExtractionSubmitted,
    FileEncoding,
    FileFormat,
    FileLayout,
    Handover,
    LettersReported,
    PostProcessingRecorded,
    RouterProofSubmitted,
    SupplierNotified,
    SupplierRefused,
)

COLUMNS = ("reference", "recipient", "town")
FORMATS = [
    (FileLayout(encoding=FileEncoding.LATIN_9), "{number}.csv", "text/csv"),
    (FileLayout(format=FileFormat.FIXED_WIDTH, widths=(6, 20, 10)), "{number}.txt", "text/plain"),
    (FileLayout(format=FileFormat.XML), "{number}.xml", "application/xml"),
    (
        FileLayout(format=FileFormat.XLSX),
        "{number}.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
]


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMail]:
    with a_catcher(tmp_path_factory.mktemp("catcher")) as server:
        yield server


@pytest.fixture
def environment(catcher: EmbeddedMail, tmp_path: Path) -> dict[str, str]:
    return {"SMTP_PORT": str(catcher.smtp_port), "SUPPLIER_FILES": str(tmp_path / "files")}


@pytest.fixture
async def story(open_service: Open, environment: dict[str, str]) -> Story:
    return Story(await open_service(SERVICE, **environment))


@pytest.mark.parametrize(("layout", "pattern", "media_type"), FORMATS)
async def test_a_file_of_each_format_goes_to_its_router_with_a_manifest_that_fits(
    story: Story, catcher: EmbeddedMail, layout: FileLayout, pattern: str, media_type: str
) -> None:
    await story.prepare(layout=layout, file_pattern=pattern, columns=COLUMNS)
    await story.extract(10)
    await story.finish()
    await story.check()
    assert await story.state() == "post_processed"
    content = (await story.file()).read_bytes()
    (letter,) = await received(catcher, story.router)
    file, note = letter["attachments"]
    assert (file["size"], file["content_type"]) == (len(content), media_type)
    async with story.caller(REVIEWER) as http:
        job = (await http.get("/jobs")).json()["jobs"][0]
        told = (await http.get(f"/jobs/{job['file_id']}/manifest")).json()
    assert note["filename"] == f"{job['file_name']}.manifest.json"
    assert (told["rows"], told["bytes"]) == (10, len(content))
    assert told["sha256"] == job["sha256"] == hashlib.sha256(content).hexdigest()


async def test_a_spreadsheet_written_again_is_the_same_one(story: Story) -> None:
    await story.prepare(layout=FORMATS[3][0], file_pattern="{number}.xlsx", columns=COLUMNS)
    await story.extract(10)
    await story.order()
    await story.step()
    content = (await story.file()).read_bytes()
    (await story.file()).unlink()
    await story.finish()
    assert (await story.file()).read_bytes() == content
    assert [one.name for one in (await story.file()).parent.iterdir()] == ["C-1042.xlsx"]
    await story.check()


async def test_more_rows_than_a_spreadsheet_holds_are_refused(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_XLSX_ROWS", 9)
    await story.prepare(layout=FORMATS[3][0], file_pattern="{number}.xlsx", columns=COLUMNS)
    await story.extract(10)
    await story.finish()
    assert await story.state() == "refused"
    (refused,) = await story.emitted(SupplierRefused)
    assert refused.run_id == story.run_id
    assert await story.emitted(ExtractionProduced) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"layout": FORMATS[3][0]}, "file_pattern"),
        ({"layout": FileLayout(names=("one",))}, "layout"),
        ({"layout": FileLayout(names=("=1", *COLUMNS[1:])), "columns": COLUMNS}, "layout"),
        ({"ending": Ending.RESULTS}, "columns"),
        ({"handover": Handover.FOLDER, "folder": "../x"}, "file_pattern"),
    ],
)
async def test_a_service_whose_wishes_do_not_fit_is_refused_with_its_field(
    story: Story, change: dict[str, Any], field: str
) -> None:
    await story.prepare()
    story.service_id = uuid4()
    (answer,) = await story.runtime.execute(story.service(**change))
    assert isinstance(answer, SupplierRefused)
    assert answer.field == field


# Approval of a file


def an_answer(
    submitted: ExtractionSubmitted, outcome: ApprovalOutcome, sha256: str | None = None
) -> ApprovalDecided:
    return ApprovalDecided(
        campaign_id=submitted.campaign_id,
        approval_id=uuid4(),
        revision=2,
        kind=ApprovalKind.EXTRACTION_FILE,
        outcome=outcome,
        reason="" if outcome is ApprovalOutcome.APPROVED else "two towns are wrong",
        by=REVIEWER,
        at=SystemClock().now(),
        snapshot_id=uuid4(),
        snapshot_hash="ab" * 32,
        content_hash=sha256 or submitted.sha256,
        count=submitted.rows,
        file_id=submitted.file_id,
    )


async def submitted_by(story: Story) -> ExtractionSubmitted:
    await story.prepare(file_approval=True)
    await story.extract(3)
    await story.finish()
    return (await story.emitted(ExtractionSubmitted))[-1]


async def test_a_file_leaves_once_these_very_bytes_are_approved(
    story: Story, catcher: EmbeddedMail
) -> None:
    asked = await submitted_by(story)
    assert (asked.rows, asked.sha256) == (3, (await story.job())["sha256"])
    assert await story.state() == "file_to_approve"
    assert await story.emitted(ExtractionProduced) == [], "it takes no goods yet"
    await story.runtime.execute(an_answer(asked, ApprovalOutcome.APPROVED, "cd" * 32))
    await story.finish()
    assert await received(catcher, story.router) == [], "other bytes than those were approved"
    for _ in range(2):
        await story.runtime.execute(an_answer(asked, ApprovalOutcome.APPROVED))
        await story.finish()
    assert await story.state() == "post_processed"
    assert len(await received(catcher, story.router)) == 1
    (produced,) = await story.emitted(ExtractionProduced)
    assert (produced.rows, produced.sha256) == (3, asked.sha256)
    await story.check()


@pytest.mark.parametrize(
    "outcome",
    [ApprovalOutcome.REJECTED, ApprovalOutcome.CHANGES_REQUESTED, ApprovalOutcome.EXPIRED],
)
async def test_a_file_that_is_not_approved_stays_until_a_person_decides(
    story: Story, catcher: EmbeddedMail, outcome: ApprovalOutcome
) -> None:
    asked = await submitted_by(story)
    await story.runtime.execute(an_answer(asked, outcome))
    await story.finish()
    job = await story.job()
    assert job["state"] == "file_returned"
    assert "two towns are wrong" in job["error"]
    async with story.runtime.uow.begin() as work:
        with pytest.raises(Refused, match="write_again, give_up"):
            await decide(work, asked.file_id, Decision.SENT, MANAGER)
    async with story.runtime.uow.begin() as work:
        await decide(work, asked.file_id, Decision.WRITE_AGAIN, MANAGER)
    await story.finish()
    assert len(await story.emitted(ExtractionSubmitted)) == 2
    await story.runtime.execute(an_answer(asked, ApprovalOutcome.APPROVED))
    await story.finish()
    assert len(await received(catcher, story.router)) == 1
    await story.check()


async def test_a_file_given_up_ends_its_letters(story: Story) -> None:
    asked = await submitted_by(story)
    await story.runtime.execute(an_answer(asked, ApprovalOutcome.REJECTED))
    async with story.caller() as http:
        answer = await http.post(f"/jobs/{asked.file_id}/decision", json={"decision": "give_up"})
        assert answer.status_code == 204
    await story.finish()
    assert await story.state() == "refused"
    (refused,) = await story.emitted(SupplierRefused)
    assert refused.run_id == story.run_id


async def test_a_withdrawn_approval_ends_the_file(story: Story, catcher: EmbeddedMail) -> None:
    asked = await submitted_by(story)
    await story.runtime.execute(an_answer(asked, ApprovalOutcome.WITHDRAWN))
    await story.finish()
    assert await story.state() == "refused"
    assert await received(catcher, story.router) == []


async def test_an_erasure_while_a_file_waits_asks_again_for_what_is_left(story: Story) -> None:
    asked = await submitted_by(story)
    async with story.runtime.uow.begin() as work:
        await erase_recipient(work, a_row(1).recipient_id)
    await story.finish()
    again = (await story.emitted(ExtractionSubmitted))[-1]
    assert (again.rows, again.sha256 == asked.sha256) == (2, False)
    await story.runtime.execute(an_answer(asked, ApprovalOutcome.APPROVED))
    await story.finish()
    assert await story.state() == "file_to_approve", "what was approved is not this file"
    await story.runtime.execute(an_answer(again, ApprovalOutcome.APPROVED))
    await story.finish()
    assert await story.state() == "post_processed"
    await story.check()


# The router's proof of a file

PDF = b"%PDF-1.7 a proof"


async def awaiting_proof(story: Story) -> UUID:
    await story.prepare(router_proof=True)
    await story.extract(3)
    await story.finish()
    assert await story.state() == "awaiting_proof"
    assert await story.emitted(SupplierNotified) == [], "nothing is printed yet"
    file_id: UUID = (await story.job())["file_id"]
    return file_id


async def test_a_router_is_told_to_print_once_its_proof_is_approved(
    story: Story, catcher: EmbeddedMail
) -> None:
    file_id = await awaiting_proof(story)
    (letter,) = await received(catcher, story.router)
    assert "send us a proof first" in letter["text"]
    first = await submit(story.runtime, file_id, PDF, MANAGER)
    assert await submit(story.runtime, file_id, PDF, MANAGER) == first
    (asked,) = await story.emitted(RouterProofSubmitted)
    assert (asked.proof_name, asked.sha256, asked.rows) == (*first, 3)
    async with story.caller() as http:
        shown = await http.get(f"/jobs/{file_id}/proof")
    assert (shown.content, shown.headers["content-type"]) == (PDF, "application/pdf")
    await story.runtime.execute(a_proof_answer(asked, ApprovalOutcome.CHANGES_REQUESTED))
    await story.finish()
    assert (await story.job())["error"] == "changes requested: the logo is upside down"
    await submit(story.runtime, file_id, PDF + b", mended", MANAGER)
    again = (await story.emitted(RouterProofSubmitted))[-1]
    await story.runtime.execute(a_proof_answer(asked, ApprovalOutcome.APPROVED))
    await story.finish()
    assert await story.state() == "proof_to_approve", "the first proof is not this one"
    for _ in range(2):
        await story.runtime.execute(a_proof_answer(again, ApprovalOutcome.APPROVED))
        await story.finish()
    assert await story.state() == "post_processed"
    assert len(await story.emitted(SupplierNotified)) == 1
    mails = await received(catcher, story.router)
    assert len(mails) == 2
    (word,) = [one for one in mails if "please print" in one["subject"]]
    assert word["attachments"] == []
    await story.check()


def a_proof_answer(asked: RouterProofSubmitted, outcome: ApprovalOutcome) -> ApprovalDecided:
    return ApprovalDecided(
        campaign_id=asked.campaign_id,
        approval_id=uuid4(),
        revision=3,
        kind=ApprovalKind.ROUTER_PROOF,
        outcome=outcome,
        reason="" if outcome is ApprovalOutcome.APPROVED else "the logo is upside down",
        by=REVIEWER,
        at=SystemClock().now(),
        snapshot_id=uuid4(),
        snapshot_hash="ab" * 32,
        content_hash=asked.sha256,
        count=asked.rows,
        file_id=asked.file_id,
    )


@pytest.mark.parametrize("content", [b"", b"<svg onload=x>", b"MZ", b"%PDF-" + b"x" * 20_000_000])
async def test_what_is_no_proof_or_not_awaited_is_refused(story: Story, content: bytes) -> None:
    file_id = await awaiting_proof(story)
    with pytest.raises(Refused, match="a proof is a PDF"):
        await submit(story.runtime, file_id, content, MANAGER)
    with pytest.raises(Refused):
        await submit(story.runtime, file_id, PDF, REVIEWER)
    async with story.runtime.uow.begin() as work:
        await decide(work, file_id, Decision.SENT, MANAGER)
    await story.finish()
    assert await story.state() == "post_processed"
    with pytest.raises(Refused, match="no proof of it is awaited"):
        await submit(story.runtime, file_id, PDF, MANAGER)


async def test_an_erasure_after_the_proof_sends_no_file_again(
    story: Story, catcher: EmbeddedMail
) -> None:
    file_id = await awaiting_proof(story)
    await submit(story.runtime, file_id, PDF, MANAGER)
    (asked,) = await story.emitted(RouterProofSubmitted)
    await story.runtime.execute(a_proof_answer(asked, ApprovalOutcome.APPROVED))
    async with story.runtime.uow.begin() as work:
        await erase_recipient(work, a_row(1).recipient_id)
    await story.finish()
    assert await story.state() == "post_processed"
    mails = await received(catcher, story.router)
    assert sorted(len(one["attachments"]) for one in mails) == [0, 2]
    await story.check()


# A link instead of the file


async def link_in(catcher: EmbeddedMail, story: Story) -> str:
    (letter,) = await received(catcher, story.router)
    found = re.search(r"/f/([\w=-]+)", letter["text"])
    assert found is not None, letter["text"]
    return found[1]


def public(story: Story) -> httpx.AsyncClient:
    assert SERVICE.make_app is not None
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=SERVICE.make_app(story.runtime)),
        base_url="http://supplier",
    )


async def test_a_router_fetches_its_files_behind_a_link_that_ends(
    open_service: Open, environment: dict[str, str], catcher: EmbeddedMail
) -> None:
    clock = DrivenClock(SystemClock().now())
    story = Story(await open_service(SERVICE, clock=clock, **environment))
    await story.prepare(handover=Handover.LINK, supplier="<b>Morel</b>")
    await story.extract(3)
    await story.finish()
    (letter,) = await received(catcher, story.router)
    assert [one["filename"] for one in letter["attachments"]] == [
        f"{(await story.file()).name}.manifest.json"
    ]
    token, name = await link_in(catcher, story), (await story.file()).name
    async with public(story) as http:
        page = await http.get(f"/f/{token}", headers={"accept-language": "fr"})
        assert "Fichiers pour le routeur" in page.text
        assert f'href="{token}/{name}"' in page.text
        assert page.headers["cache-control"] == "no-store"
        answer = await http.get(f"/f/{token}/{name}")
        assert answer.content == (await story.file()).read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        note = await http.get(f"/f/{token}/{name}.manifest.json")
        assert json.loads(note.content)["rows"] == 3
        for other in ("other.csv", "..%2F..%2Fetc%2Fpasswd", ".draft-1"):
            assert (await http.get(f"/f/{token}/{other}")).status_code == 404
        assert (await http.get(f"/f/{token[:-4]}AAAA/{name}")).status_code == 404
        assert (await http.get("/f/é")).status_code == 404
        clock.advance(timedelta(days=story.settings.supplier_link_days, seconds=1))
        for path in (f"/f/{token}", f"/f/{token}/{name}"):
            assert (await http.get(path)).status_code == 410
    fetched = await story.runtime.pool.fetch("SELECT name FROM downloads ORDER BY seq")
    assert [row["name"] for row in fetched] == [name, f"{name}.manifest.json"]
    await story.check()


async def test_nothing_is_behind_the_link_of_a_file_that_is_gone(
    open_service: Open, environment: dict[str, str], catcher: EmbeddedMail
) -> None:
    clock = DrivenClock(SystemClock().now())
    kept = {"SUPPLIER_KEEP_DAYS": "1", "SUPPLIER_LINK_DAYS": "9"}
    story = Story(await open_service(SERVICE, clock=clock, **environment | kept))
    await story.prepare(handover=Handover.LINK)
    await story.extract(3)
    await story.finish()
    token = await link_in(catcher, story)
    clock.advance(timedelta(days=2))
    await story.finish()
    assert await story.state() == "removed"
    async with public(story) as http:
        assert (await http.get(f"/f/{token}")).status_code == 404


# What reviewers see of a file


async def test_reviewers_see_what_they_are_asked_about_behind_a_link_that_ends(
    open_service: Open, environment: dict[str, str]
) -> None:
    clock = DrivenClock(SystemClock().now())
    story = Story(await open_service(SERVICE, clock=clock, **environment))
    await story.prepare(file_approval=True, router_proof=True, columns=COLUMNS)
    await story.extract(12)
    await story.finish()
    (asked,) = await story.emitted(ExtractionSubmitted)
    assert asked.review_path is not None
    async with public(story) as http:
        page = await http.get(asked.review_path, headers={"accept-language": "fr"})
        assert "Fichier pour le routeur de C-1042" in page.text
        assert asked.sha256 in page.text
        assert "<th>reference</th>" in page.text
        assert page.text.count("<tr><td>") == 10, "the first rows, not all of them"
        assert page.headers["cache-control"] == "no-store"
        assert (await http.get(f"{asked.review_path}/proof")).status_code == 404
        token = asked.review_path.removeprefix("/r/")
        assert (await http.get(f"/f/{token}")).status_code == 404, "it gives no file"
        assert (await http.get(f"/r/{token[:-4]}AAAA")).status_code == 404
        await story.runtime.execute(an_answer(asked, ApprovalOutcome.APPROVED))
        await story.finish()
        await submit(story.runtime, asked.file_id, PDF, MANAGER)
        (proved,) = await story.emitted(RouterProofSubmitted)
        assert proved.review_path is not None
        assert "The router's proof" in (await http.get(proved.review_path)).text
        assert (await http.get(f"{proved.review_path}/proof")).content == PDF
        clock.advance(timedelta(days=REVIEW_DAYS, seconds=1))
        for path in (asked.review_path, f"{asked.review_path}/proof"):
            assert (await http.get(path)).status_code == 410
    await story.check()


# The router's results


# Chunks of four: references rise with gaps.
REPORT_OF_FIVE = "reference,status\n1,sent\n2,sent\n3,sent\n4,sent\n1001,sent\n"


async def awaiting(story: Story, rows: int = 4) -> UUID:
    await story.prepare(ending=Ending.RESULTS, columns=COLUMNS)
    await story.extract(rows)
    await story.finish()
    assert await story.state() == "awaiting_results"
    (told,) = await story.emitted(SupplierNotified)
    assert told.awaits_results
    return told.file_id


async def report(story: Story, file_id: UUID, text: str) -> UUID:
    return await take_in(story.runtime, file_id, text.encode(), MANAGER)


async def told_of(story: Story) -> dict[UUID, str]:
    """Return what was published of each letter; nobody is told of twice."""
    found: dict[UUID, str] = {}
    for event in await story.emitted(LettersReported):
        said = dict.fromkeys(event.sent, "sent")
        said |= {one.recipient_id: f"failed {one.reason}" for one in event.failed}
        assert not said.keys() & found.keys()
        found |= said
    return found


async def test_each_letter_is_what_its_router_reports_and_bad_lines_say_why(
    story: Story,
) -> None:
    file_id = await awaiting(story)
    content = (
        "reference;status;reason\r\n1;sent;\r\n2;failed;moved away\r\nx;sent;\r\n9;sent;\r\n"
        "1;sent;\r\n1;failed;\r\n"
    )
    import_id = await report(story, file_id, content)
    await story.finish()
    assert await told_of(story) == {
        a_row(0).recipient_id: "sent",
        a_row(1).recipient_id: "failed moved away",
    }
    async with story.caller(REVIEWER) as http:
        (seen,) = (await http.get(f"/jobs/{file_id}/results")).json()
        path = f"/jobs/{file_id}/results/{import_id}/rejected"
        bad = (await http.get(path)).json()["lines"]
        job = (await http.get(f"/jobs/{file_id}")).json()
    counted = {key: seen[key] for key in ("lines", "taken", "repeated", "rejected")}
    assert counted == {"lines": 6, "taken": 2, "repeated": 1, "rejected": 3}
    assert bad == [
        {"line": 4, "problem": "reference is no number of the file"},
        {"line": 5, "problem": "no letter of this file has this name"},
        {"line": 7, "problem": "this letter was reported sent before"},
    ]
    assert (job["state"], job["sent"], job["failed"]) == ("awaiting_results", 1, 1)
    await report(story, file_id, f"recipient_id,status\n{a_row(2).recipient_id},ok\n,sent\n")
    await report(story, file_id, "reference,status\n4,sent\n")
    await story.finish()
    assert await story.state() == "post_processed"
    assert len(await told_of(story)) == 4
    assert len(await story.emitted(PostProcessingRecorded)) == 1
    await story.check()


async def test_the_same_result_file_again_changes_nothing(story: Story) -> None:
    file_id = await awaiting(story)
    content = "reference,status\n1,sent\n2,sent\n"
    first = await report(story, file_id, content)
    await story.finish()
    assert await report(story, file_id, content) == first
    await story.finish()
    assert len(await told_of(story)) == 2
    await story.check()


async def test_a_result_file_that_was_cut_off_counts_nothing_until_it_is_sent_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await awaiting(story)
    content = "reference,status\n1,sent\n2,sent\n3,failed\n"
    with monkeypatch.context() as patch:
        patch.setattr("services.supplier.reporting.LINES_AT_ONCE", 2)
        patch.setattr("services.supplier.store.results.ResultStore.complete", None)
        with pytest.raises(TypeError):
            await report(story, file_id, content)
    await story.finish()
    assert await told_of(story) == {}
    await report(story, file_id, content)
    await story.finish()
    assert len(await told_of(story)) == 3
    await story.check()


async def test_results_are_applied_in_parts_that_may_be_cut_off(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.supplier.postprocessing.LETTERS_AT_ONCE", 2)
    file_id = await awaiting(story, 5)
    await report(story, file_id, REPORT_OF_FIVE)
    async with story.runtime.uow.begin() as work:
        assert await apply_next(work) == 2
    with pytest.raises(RuntimeError):
        await _cut_off(story)
    assert len(await told_of(story)) == 2
    for _ in range(4):
        await story.finish()
    assert await story.state() == "post_processed"
    assert len(await told_of(story)) == 5
    await story.check()


async def _cut_off(story: Story) -> None:
    async with story.runtime.uow.begin() as work:
        assert await apply_next(work) == 2
        raise RuntimeError


@pytest.mark.parametrize(("decision", "said"), [("rest_sent", "sent"), ("rest_failed", "failed")])
async def test_a_person_says_what_the_letters_are_that_nobody_reported(
    story: Story, decision: str, said: str
) -> None:
    file_id = await awaiting(story)
    await report(story, file_id, "reference,status\n1,sent\n")
    async with story.caller() as http:
        answer = await http.post(f"/jobs/{file_id}/decision", json={"decision": decision})
        assert answer.status_code == 204
    for _ in range(3):
        await story.finish()
    assert await story.state() == "post_processed"
    told = await told_of(story)
    assert sorted(word.partition(" ")[0] for word in told.values()) == sorted(["sent", *[said] * 3])
    await story.check()


async def test_who_may_not_or_cannot_report_is_told_why(story: Story) -> None:
    file_id = await awaiting(story)

    async def answer(content: bytes, actor: Any = MANAGER, of: UUID = file_id) -> tuple[int, str]:
        body = {"content": b64encode(content).decode()}
        async with story.caller(actor) as http:
            found = await http.post(f"/jobs/{of}/results", json=body)
        return found.status_code, found.json().get("detail", "")

    assert (await answer(b"reference,status\n", REVIEWER))[0] == 403
    assert (await answer(b""))[0] == 409
    assert "names the columns" in (await answer(b"name\nZoe\n"))[1]
    assert (await answer(b"reference,status\n", of=uuid4()))[0] == 409
    story.service_id, story.run_id, story.campaign_id = uuid4(), uuid4(), uuid4()
    await story.prepare()
    await story.extract(1)
    await story.finish()
    confirmed = (await story.job())["file_id"]
    assert "count as sent" in (await answer(b"reference,status\n1,sent\n", of=confirmed))[1]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE jobs SET sent = sent + 1", "counted once a letter"),
        ("UPDATE imports SET taken = taken + 1", "result file add up"),
        ("UPDATE jobs SET file_approval = true", "I6 a file that needs approval"),
    ],
)
async def test_a_broken_row_is_named_by_its_invariant(
    story: Story, damage: str, named: str
) -> None:
    file_id = await awaiting(story)
    await report(story, file_id, "reference,status\n1,sent\n")
    await story.finish()
    await story.check()
    await story.runtime.pool.execute(damage)
    async with story.runtime.pool.acquire() as connection:
        assert any(named in line for line in await broken(connection))


# Suppliers and the people there


async def test_contacts_who_are_notified_get_a_copy_and_can_be_forgotten(
    story: Story, catcher: EmbeddedMail
) -> None:
    await story.prepare()
    anne, gone = f"anne-{uuid4().hex[:8]}@morel.example", f"gone-{uuid4().hex[:8]}@morel.example"
    people = [
        {"name": "Anne", "role": "print shop", "email": anne, "notified": True},
        {"name": "Max", "email": gone, "notified": True},
        {"name": "Zoé", "phone": "+33 1 00 00 00 00"},
    ]
    async with story.caller() as http:
        body = {"name": "Imprimerie Morel", "contacts": people}
        saved = (await http.post("/suppliers", json=body)).json()
        wrong = await http.post(
            "/suppliers", json={"name": "x", "contacts": [{"name": "y", "notified": True}]}
        )
        assert (wrong.status_code, wrong.json()["field"]) == (409, "contacts")
        (seen,) = (await http.get("/suppliers")).json()
        assert [one["name"] for one in seen["contacts"]] == ["Anne", "Max", "Zoé"]
    (refused,) = await story.runtime.execute(story.service(supplier_id=uuid4()))
    assert isinstance(refused, SupplierRefused)
    assert refused.field == "supplier_id"
    await story.runtime.execute(story.service(supplier_id=saved["supplier_id"]))
    async with story.runtime.uow.begin() as work:
        assert await erase(work, "", gone.upper()) == 1
    await story.extract(2)
    await story.finish()
    assert len(await received(catcher, story.router)) == 1
    assert len(await received(catcher, anne)) == 1
    assert await received(catcher, gone) == []


async def test_a_copy_that_is_refused_holds_up_nothing(story: Story, catcher: EmbeddedMail) -> None:
    await story.prepare()
    anne = f"anne-{uuid4().hex[:8]}@morel.example"
    async with story.caller() as http:
        body = {"name": "Morel", "contacts": [{"name": "A", "email": anne, "notified": True}]}
        saved = (await http.post("/suppliers", json=body)).json()
    await story.runtime.execute(story.service(supplier_id=saved["supplier_id"]))
    await script(catcher, {"action": "refuse_recipient", "recipient": anne, "code": 550})
    await story.extract(2)
    await story.finish()
    await script(catcher)
    assert await story.state() == "post_processed"
    assert len(await received(catcher, story.router)) == 1
    assert await received(catcher, anne) == []
