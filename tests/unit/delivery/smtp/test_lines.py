"""A content on the wire: dots, line ends, lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.smtp.lines import checked, stuffed
from services.delivery.smtp.mails import Unsendable
from tests.unit.delivery.smtp.server import PIPELINING, Conduct, PureServer

LINE = st.text(alphabet=".ab é", max_size=6).map(str.encode)
CONTENT = st.lists(LINE, min_size=1, max_size=8).map(lambda lines: b"\r\n".join(lines) + b"\r\n")


def received(content: bytes) -> bytes:
    server = PureServer(PIPELINING, [Conduct()])
    server.receive(b"MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nDATA\r\n")
    [reply] = server.receive(stuffed(content))
    assert reply.startswith(b"250")
    [(_, got)] = server.took
    return got


@given(CONTENT)
def test_a_server_reads_what_was_meant_whatever_the_dots(content: bytes) -> None:
    checked(content)
    assert received(content) == content


def test_a_content_without_a_last_line_end_gets_one() -> None:
    assert received(b"Subject: a\r\n\r\nend") == b"Subject: a\r\n\r\nend\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"one\ntwo\r\n",
        b"one\rtwo\r\n",
        b"one\r\r\ntwo\r\n",
        b"one\n\r\ntwo\r\n",
        b"smuggled\n.\r\nMAIL FROM:<a@x.example>\r\n",
        b"smuggled\r\n.\nMAIL FROM:<a@x.example>\r\n",
        b"smuggled\r\n.\rMAIL FROM:<a@x.example>\r\n",
        b"one\r",
        b"one\n",
    ],
)
def test_a_bare_line_end_never_leaves(content: bytes) -> None:
    with pytest.raises(Unsendable, match="bare CR or LF"):
        checked(content)


def test_a_nul_never_leaves() -> None:
    with pytest.raises(Unsendable, match="NUL"):
        checked(b"one\0two\r\n")


@given(st.lists(st.integers(0, 1_100), max_size=12), st.booleans())
def test_a_line_is_refused_exactly_from_999_octets_on(lengths: list[int], ended: bool) -> None:
    content = b"\r\n".join(b"x" * length for length in lengths) + b"\r\n" * ended
    if max(lengths, default=0) > 998:
        with pytest.raises(Unsendable, match="998 octets"):
            checked(content)
    else:
        checked(content)


@pytest.mark.parametrize("length", [997, 998])
@pytest.mark.parametrize("before", [0, 1, 2, 500, 998])
def test_the_longest_line_passes_wherever_it_stands(length: int, before: int) -> None:
    for end in (b"", b"\r\n", b"\r\nmore\r\n"):
        checked(b"y" * before + b"\r\n" + b"x" * length + end)
        with pytest.raises(Unsendable):
            checked(b"y" * before + b"\r\n" + b"x" * 999 + end)
