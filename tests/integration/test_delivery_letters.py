"""Letters of a template: checked when saved, in the proof, handed to the supplier, failed alone."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from services.delivery.app import SERVICE
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
    first,
    member,
    prepare,
    said,
    sending,
    work_off,
)
from topics.delivery import (
    AnswerRefused,
    ApprovalDecided,
    ApprovalKind,
    ApprovalOutcome,
    ApprovalState,
    DecideApproval,
    Decision,
    DeliveryFinished,
    DeliveryPrepared,
    ProofFailed,
    ProofSent,
    StopDelivery,
    TemplateRefused,
)
from topics.letters import LetterSource, LetterWindow
from topics.supplier import (
    ExtractionSubmitted,
    ExtractRows,
    FailedLetter,
    LettersFailed,
    LettersReported,
    RouterProofSubmitted,
    SupplierNotified,
    SupplierRefused,
)

FILE = UUID(int=77)
LETTER = "Dear #data.contact.first_name of #data.site.name, this is #data.campaign.number."


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


async def started(runtime: Runtime, case: Case) -> list[UUID]:
    """Start a case of letters; return whose rows went to the supplier."""
    await approved(runtime, case)
    await runtime.execute(case.start())
    await work_off(runtime)
    return [row.recipient_id for chunk in await said(runtime, ExtractRows) for row in chunk.rows]


def confirmed(case: Case, rows: int) -> SupplierNotified:
    return SupplierNotified(
        campaign_id=case.campaign_id,
        run_id=case.run_id,
        service_id=uuid4(),
        file_id=uuid4(),
        rows=rows,
        awaits_results=True,
    )


async def test_letters_count_as_their_router_reports_each_of_them(runtime: Runtime) -> None:
    case = Case([member(None) for _ in range(4)], supplier_service_id=uuid4())
    async with sending(runtime):
        members = await started(runtime, case)
        report = LettersReported(
            campaign_id=case.campaign_id,
            run_id=case.run_id,
            file_id=uuid4(),
            sent=tuple(members[:2]),
            failed=(FailedLetter(recipient_id=members[2], reason="moved"),),
        )
        contrary = report.model_copy(update={"sent": (members[2], members[3]), "failed": ()})
        await runtime.execute(confirmed(case, 4))
        await runtime.execute(report)
        await runtime.execute(report)
        assert await said(runtime, DeliveryFinished) == [], "one letter is not reported yet"
        await runtime.execute(contrary)
        counts = (await finished(runtime, case)).counts
    assert (counts.letters_sent, counts.failed, counts.pending) == (3, 1, 0)
    reason = await runtime.pool.fetchval(
        "SELECT reason FROM ledger WHERE member_id = $1", members[2]
    )
    assert reason == "supplier_refused: moved"


def submitted(case: Case, sha256: str = "ab" * 32) -> ExtractionSubmitted:
    return ExtractionSubmitted(
        campaign_id=case.campaign_id,
        run_id=case.run_id,
        file_id=FILE,
        file_name="C-1.csv",
        rows=2,
        sha256=sha256,
    )


async def file_approvals(runtime: Runtime) -> list[ApprovalState]:
    """Return the latest state of each approval of a file, in the order they were asked."""
    found = {one.approval_id: one for one in await said(runtime, ApprovalState) if one.file_id}
    return list(found.values())


def file_answer(asked: ApprovalState, by: UUID, decision: Decision) -> DecideApproval:
    return DecideApproval(
        approval_id=asked.approval_id,
        campaign_id=asked.campaign_id,
        revision=asked.revision,
        decision=decision,
        reason="wrong towns",
        actor=actor(by),
    )


async def test_a_file_is_approved_by_the_content_s_reviewers_beside_the_run(
    runtime: Runtime,
) -> None:
    case = Case([member(None), member(None)], supplier_service_id=uuid4())
    async with sending(runtime):
        await started(runtime, case)
        for _ in range(2):
            await runtime.execute(submitted(case))
        (asked,) = await file_approvals(runtime)
        assert (asked.kind, asked.outcome) == (
            ApprovalKind.EXTRACTION_FILE,
            ApprovalOutcome.PENDING,
        )
        assert (asked.subject, asked.count, asked.content_hash) == ("C-1.csv", 2, "ab" * 32)
        assert asked.reviewer_ids == (REVIEWER,)
        await runtime.execute(submitted(case, "cd" * 32))
        old, new = await file_approvals(runtime)
        assert (old.outcome, new.outcome) == (ApprovalOutcome.WITHDRAWN, ApprovalOutcome.PENDING)
        await runtime.execute(file_answer(new, MANAGER, Decision.APPROVE))
        assert (await said(runtime, AnswerRefused))[-1].code == "not_reviewer"
        await runtime.execute(file_answer(new, REVIEWER, Decision.APPROVE))
        decided = (await said(runtime, ApprovalDecided))[-1]
        assert (decided.outcome, decided.file_id, decided.content_hash) == (
            ApprovalOutcome.APPROVED,
            FILE,
            "cd" * 32,
        )
        state = await runtime.pool.fetchrow(
            "SELECT state, stop_reason FROM runs WHERE run_id = $1", case.run_id
        )
        assert state is not None
        assert tuple(state) == ("started", None), "an approval of a file stops no run"


async def test_a_stop_withdraws_what_is_asked_about_files(runtime: Runtime) -> None:
    case = Case([member(None), member(None)], supplier_service_id=uuid4())
    async with sending(runtime):
        await started(runtime, case)
        await runtime.execute(submitted(case))
        await runtime.execute(
            StopDelivery(campaign_id=case.campaign_id, reason="cancelled", actor=actor(MANAGER))
        )
        (asked,) = await file_approvals(runtime)
        assert asked.outcome is ApprovalOutcome.WITHDRAWN
        await runtime.execute(
            SupplierRefused(
                subject_id=case.campaign_id,
                run_id=case.run_id,
                command="ExtractRows",
                reason="withdrawn",
            )
        )
        counts = (await finished(runtime, case)).counts
    assert (counts.ignored, counts.failed) == (2, 0)
    await runtime.execute(submitted(case, "ef" * 32))
    assert all(one.outcome is ApprovalOutcome.WITHDRAWN for one in await file_approvals(runtime)), (
        "nobody is asked about a file of a stopped run"
    )


async def test_a_router_s_proof_is_asked_about_after_its_file(runtime: Runtime) -> None:
    case = Case([member(None), member(None)], supplier_service_id=uuid4())
    async with sending(runtime):
        await started(runtime, case)
        await runtime.execute(submitted(case))
        (asked,) = await file_approvals(runtime)
        await runtime.execute(file_answer(asked, REVIEWER, Decision.APPROVE))
        await runtime.execute(
            RouterProofSubmitted(
                campaign_id=case.campaign_id,
                run_id=case.run_id,
                file_id=FILE,
                proof_name="router-proof-1.pdf",
                rows=2,
                sha256="12" * 32,
            )
        )
        file, proof = await file_approvals(runtime)
        assert (file.outcome, proof.outcome) == (ApprovalOutcome.APPROVED, ApprovalOutcome.PENDING)
        assert (proof.kind, proof.subject) == (ApprovalKind.ROUTER_PROOF, "router-proof-1.pdf")
        await runtime.execute(file_answer(proof, REVIEWER, Decision.REJECT))
    decided = (await said(runtime, ApprovalDecided))[-1]
    assert (decided.outcome, decided.content_hash) == (ApprovalOutcome.REJECTED, "12" * 32)
