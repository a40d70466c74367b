"""Routers' result files: what their lines say, and what they change."""

from __future__ import annotations

import csv
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supplier.domain import results
from services.supplier.domain.results import (
    Answer,
    LetterOutcome,
    Rejected,
    Reported,
    Settled,
    UnreadableFile,
    read_results,
    settle,
)

SENT, FAILED = LetterOutcome.SENT, LetterOutcome.FAILED
ZOE = UUID(int=1)


def read(text: str) -> list[Reported | Rejected]:
    return list(read_results(text.encode()))


def test_a_line_names_its_letter_by_reference_or_addressee() -> None:
    found = read(
        f"reference,recipient_id,status,reason\r\n1,,sent,\r\n,{ZOE},failed,moved away\r\n"
    )
    assert found == [
        Reported(2, 0, None, SENT, ""),
        Reported(3, None, ZOE, FAILED, "moved away"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_usual_separator_and_line_end_is_read(separator: str, end: str) -> None:
    lines = [["Reference", "STATUS"], ["7", "OK"], ["8", "Échec"]]
    text = end.join(separator.join(line) for line in lines)
    assert read(text) == [Reported(2, 6, None, SENT, ""), Reported(3, 7, None, FAILED, "")]


def test_a_file_of_windows_and_one_with_a_byte_order_mark_are_read() -> None:
    windows = "reference;status;reason\n1;échec;décédé\n".encode("windows-1252")
    assert list(read_results(windows)) == [Reported(2, 0, None, FAILED, "décédé")]
    marked = b"\xef\xbb\xbf" + b"reference,status\n1,sent\n"
    assert list(read_results(marked)) == [Reported(2, 0, None, SENT, "")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,lost,", "neither sent nor failed"),
        ("1", "neither sent nor failed"),
        ("0,sent,", "no number of the file"),
        ("-1,sent,", "no number of the file"),
        ("1.0,sent,", "no number of the file"),
        ("١,sent,", "no number of the file"),
        ("9" * 400 + ",sent,", "no number of the file"),
        ("=1+1,sent,", "no number of the file"),
        (",sent,", "names a letter"),
        (f"1,sent,{'x' * 1001}", "longer than 1,000"),
        ('1,sent,"never closed', "quote is not closed"),
        (f"1,sent,{'x' * 200_000}", "endless"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_costs_no_other(line: str, said: str) -> None:
    found = read(f"reference,status,reason\n1,sent,\n\n{line}\n3,failed,\n")
    assert found[0] == Reported(2, 0, None, SENT, "")
    assert isinstance(found[1], Rejected)
    assert found[1].line == 4
    assert said in found[1].problem
    assert found[2:] == [Reported(5, 2, None, FAILED, "")]


def test_an_endless_value_is_told_as_such_whatever_else_reads_csv_in_the_process() -> None:
    before = csv.field_size_limit(10_000_000)
    try:
        [found] = read(f"reference,status,reason\n1,sent,{'x' * 200_000}\n")
    finally:
        csv.field_size_limit(before)
    assert isinstance(found, Rejected)
    assert "endless" in found.problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "names the columns"),
        (b"\n\n", "names the columns"),
        (b"reference,reason\n1,moved\n", "names the columns"),
        (b"name,status\nZoe,sent\n", "names the columns"),
        (b"status,reference,status\nsent,1,sent\n", "stands twice"),
        (b"PK\x03\x04\0\0", "no text"),
    ],
)
def test_a_file_without_the_titles_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        list(read_results(content))


def test_a_file_of_too_many_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_LINES", 2)
    with pytest.raises(UnreadableFile, match="send it in parts"):
        read("reference,status\n1,sent\n2,sent\n3,sent\n")


def test_a_reason_is_one_short_line() -> None:
    (found,) = read(f"reference,status,reason\n1,failed,a\x07{'b' * 90}\n")
    assert isinstance(found, Reported)
    assert found.reason == "a " + "b" * 58


@given(st.binary(max_size=300))
def test_no_content_does_more_than_be_refused(content: bytes) -> None:
    try:
        found = list(read_results(b"reference,status\n" + content))
    except UnreadableFile:
        return
    assert all(isinstance(one, Reported | Rejected) for one in found)


def answer(line: int, ordinal: int, outcome: LetterOutcome) -> Answer:
    return Answer(line, ordinal, outcome, "")


def test_the_first_word_about_a_letter_counts() -> None:
    people = {number: UUID(int=number) for number in range(3)}
    lines = [
        answer(2, 0, SENT),
        answer(3, 1, FAILED),
        answer(4, 0, SENT),
        answer(5, 1, SENT),
        answer(6, 2, FAILED),
        answer(7, 9, SENT),
    ]
    assert settle(lines, people, {2: SENT}) == Settled(
        taken=(lines[0], lines[1]),
        repeated=1,
        rejected=(
            Rejected(5, "this letter was reported failed before"),
            Rejected(6, "this letter was reported sent before"),
            Rejected(7, "no letter of this file has this name"),
        ),
    )


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(LetterOutcome)), max_size=40),
    st.dictionaries(st.integers(0, 9), st.sampled_from(LetterOutcome)),
    st.integers(0, 40),
)
def test_lines_add_up_and_applying_them_in_parts_or_again_changes_no_letter(
    said: list[tuple[int, LetterOutcome]], before: dict[int, LetterOutcome], cut: int
) -> None:
    people = {number: UUID(int=number) for number in range(8)}
    lines = [answer(line, *one) for line, one in enumerate(said)]
    whole = settle(lines, people, before)
    assert len(lines) == len(whole.taken) + whole.repeated + len(whole.rejected)
    first = settle(lines[:cut], people, before)
    known = before | {one.ordinal: one.outcome for one in first.taken}
    second = settle(lines[cut:], people, known)
    assert first.taken + second.taken == whole.taken
    known |= {one.ordinal: one.outcome for one in second.taken}
    assert settle(lines, people, known).taken == ()
