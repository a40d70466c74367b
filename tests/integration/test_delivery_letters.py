"""Letters of a template: checked when saved, in the proof, handed to the supplier, failed alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.delivery.app import SERVICE
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    REVIEWER,
    Case,
    Catcher,
    add_operators,
    approved,
    catching,
    finished,
    first,
    member,
    prepare,
    said,
    sending,
    work_off,
)
from topics.delivery import DeliveryPrepared, ProofFailed, ProofSent, TemplateRefused
from topics.letters import LetterSource, LetterWindow
from topics.supplier import ExtractRows, LettersFailed, SupplierNotified

LETTER = "Dear #data.contact.first_name of #data.site.name, this is #data.campaign.number."


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    async with catching(tmp_path) as found:
        yield found


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> Runtime:
    found = await open_service(
        SERVICE, SMTP_PORT=str(catcher.port), PROGRESS_SECONDS="0.1", EXTRACTION_ROWS="2"
    )
    await add_operators(found)
    return found


async def test_a_letter_that_cannot_be_set_is_refused_when_it_is_saved(runtime: Runtime) -> None:
    for letter, reason in (
        ("#data.contact.nickname", 'does not contain key "nickname"'),
        ("Dear ] Ada", "unexpected closing bracket"),
        ("#for n in range(80) { pagebreak() }", "longer than 50 pages"),
    ):
        case = Case([])
        await runtime.execute(case.template(letter=letter))
        refused = (await said(runtime, TemplateRefused))[-1]
        assert refused.field == "letter"
        assert reason in refused.reason


async def test_a_change_of_the_letter_changes_what_is_approved(runtime: Runtime) -> None:
    case = Case([member(None)])
    await prepare(runtime, case)
    for more in (
        {"letter": LETTER},
        {"letter": LETTER, "letter_window": LetterWindow.NF_Z11_001},
        {"letter_window": LetterWindow.NF_Z11_001},
    ):
        await runtime.execute(case.template(**more))
    hashes = [event.content_hash for event in await said(runtime, DeliveryPrepared)]
    assert len(set(hashes)) == 3
    assert hashes[-1] == hashes[0], "without a letter the window is nobody's"


async def test_the_proof_brings_the_letter_as_pdf(runtime: Runtime, catcher: Catcher) -> None:
    case = Case([member("ada@x.example")])
    await prepare(runtime, case, letter=LETTER)
    for chunk in case.chunks:
        await runtime.execute(chunk)
    await runtime.execute(case.proof(REVIEWER))
    async with sending(runtime):
        await first(runtime, ProofSent)
    [mail] = await catcher.to(f"proof@{case.domain}")
    [attached] = list(mail.iter_attachments())
    assert (attached.get_content_type(), attached.get_filename()) == (
        "application/pdf",
        "letter.pdf",
    )
    assert attached.get_content().startswith(b"%PDF-")
    assert mail.get_content_type() == "multipart/mixed"
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html"}
    merge = await runtime.pool.fetchval("SELECT merge FROM ledger LIMIT 1")
    assert merge == {}, "the letter goes with the row's other data"


async def test_a_letter_that_fails_over_a_member_fails_the_proof_without_their_data(
    runtime: Runtime,
) -> None:
    case = Case([member("ada@x.example", first_name="Zoé-Secret")])
    source = '#if data.contact.first_name != "Ada" { panic(data.contact.first_name) }'
    await prepare(runtime, case, letter=source)
    for chunk in case.chunks:
        await runtime.execute(chunk)
    await runtime.execute(case.proof(REVIEWER))
    failed = await first(runtime, ProofFailed)
    assert failed.field == "letter"
    assert "Secret" not in failed.reason


async def test_letters_go_to_the_supplier_with_the_approved_markup(runtime: Runtime) -> None:
    people = [member(None, first_name=f"Zoé {n}") for n in range(3)]
    case = Case([member("ada@x.example"), *people], supplier_service_id=uuid4())
    async with sending(runtime):
        await approved(runtime, case, letter=LETTER, language="fr")
        await runtime.execute(case.start())
        await work_off(runtime)
        chunks = await said(runtime, ExtractRows)
        assert {chunk.letter for chunk in chunks} == {
            LetterSource(source=LETTER, language="fr", window=LetterWindow.DIN_5008_B)
        }
        rows = [row for chunk in chunks for row in chunk.rows]
        assert {row.first_name for row in rows} == {"Zoé 0", "Zoé 1", "Zoé 2"}
        failed = rows[1].recipient_id
        for event in (
            LettersFailed(
                campaign_id=case.campaign_id,
                run_id=case.run_id,
                recipient_ids=(failed,),
                reason="the letter cannot be set over this addressee's data",
            ),
            SupplierNotified(
                campaign_id=case.campaign_id,
                run_id=case.run_id,
                service_id=uuid4(),
                file_id=uuid4(),
                rows=2,
            ),
        ):
            await runtime.execute(event)
        counts = (await finished(runtime, case)).counts
    assert (counts.emails_sent, counts.letters_sent, counts.failed) == (1, 2, 1)
    row = await runtime.pool.fetchrow(
        "SELECT outcome, reason FROM ledger WHERE member_id = $1", failed
    )
    assert row is not None
    assert row["outcome"] == "failed"
    assert row["reason"].startswith("personalisation: letter: ")
