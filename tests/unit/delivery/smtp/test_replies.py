"""Replies out of bytes, however they arrive, whatever they are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.smtp.replies import (
    LINE_OCTETS,
    REPLY_LINES,
    Capabilities,
    ProtocolViolation,
    Reply,
    ReplyParser,
    capabilities,
)

STREAM = (
    b"220 mx ready\r\n250-mx\r\n250-PIPELINING\r\n250 SIZE 1\r\n354\r\n550 5.1.1 no\r\n421 bye\r\n"
)


def parsed(*pieces: bytes) -> tuple[list[Reply], str]:
    """Return what came out, and the violation that ended it."""
    parser = ReplyParser()
    found: list[Reply] = []
    try:
        for piece in pieces:
            found.extend(parser.feed(piece))
    except ProtocolViolation as problem:
        return found, str(problem)
    return found, ""


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def test_replies_split_at_every_byte_are_the_same() -> None:
    whole, _ = parsed(STREAM)
    assert [reply.code for reply in whole] == [220, 250, 354, 550, 421]
    assert whole[1].lines == (b"mx", b"PIPELINING", b"SIZE 1")
    assert [reply.text for reply in whole[3:]] == ["550 5.1.1", "421"]
    assert parsed(*(STREAM[i : i + 1] for i in range(len(STREAM))))[0] == whole
    for at in range(len(STREAM)):
        assert parsed(STREAM[:at], STREAM[at:])[0] == whole


NOISE = st.lists(
    st.sampled_from([b"250 ok\r\n", b"250-a\r\n", b"354 go\r\n", b"\r", b"\n", b"2", b"421 x\n"])
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


@given(NOISE, st.lists(st.integers(0, 200), max_size=6))
def test_any_bytes_in_any_pieces_come_to_the_same(noise: bytes, cuts: list[int]) -> None:
    assert parsed(*cut(noise, cuts)) == parsed(noise)


@pytest.mark.parametrize(
    "noise",
    [
        b"ok\r\n",
        b"25 ok\r\n",
        b"150 preliminary\r\n",
        b"650 ok\r\n",
        b"250_ok\r\n",
        b"2500 ok\r\n",
        b"250-one\r\n251 two\r\n",
        b"250-one\r\n354 two\r\n",
        b"\r\n",
        "２５０ ok\r\n".encode(),
        b"250 " + b"x" * LINE_OCTETS + b"\r\n",
        b"250-a\r\n" * (REPLY_LINES + 1) + b"250 a\r\n",
    ],
)
def test_what_is_no_reply_is_a_violation_after_the_replies_before_it(noise: bytes) -> None:
    found, problem = parsed(b"250 fine\r\n" + noise)
    assert [reply.code for reply in found] == [250]
    assert problem


def test_an_endless_line_ends_early() -> None:
    parser = ReplyParser()
    assert list(parser.feed(b"2" * LINE_OCTETS)) == []
    with pytest.raises(ProtocolViolation, match="too long"):
        list(parser.feed(b"2" * 1_024))


def test_what_a_server_offers_is_read_from_ehlo_whatever_its_case() -> None:
    [reply] = ReplyParser().feed(
        b"250-mx.example\r\n250-pipelining\r\n250-SIZE 10240000\r\n250-StartTLS\r\n"
        b"250-AUTH PLAIN login\r\n250-AUTH=CRAM-MD5\r\n250-8BITMIME\r\n250-\r\n250 SMTPUTF8\r\n"
    )
    assert capabilities(reply) == Capabilities(
        pipelining=True,
        eight_bit=True,
        utf8=True,
        starttls=True,
        sizes=True,
        size=10_240_000,
        mechanisms=frozenset({"PLAIN", "LOGIN", "CRAM-MD5"}),
    )


@pytest.mark.parametrize("line", [b"SIZE", b"SIZE 0", b"SIZE many", "SIZE ٣".encode(), b"SIZE -1"])
def test_a_size_that_says_nothing_is_no_limit(line: bytes) -> None:
    assert capabilities(Reply(250, (b"mx", line))) == Capabilities(sizes=True)


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
def test_any_answer_to_ehlo_can_be_read(lines: list[bytes]) -> None:
    capabilities(Reply(250, tuple(lines)))


def test_a_name_in_the_first_line_offers_nothing() -> None:
    assert capabilities(Reply(250, (b"PIPELINING",))) == Capabilities()
