"""Addresses in commands: encoded where they may be, refused where they could do harm."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.smtp.addresses import path
from services.delivery.smtp.mails import Unsendable


@pytest.mark.parametrize(
    ("address", "encoded"),
    [
        ("ada@example.org", b"ada@example.org"),
        ("a.b+c=d!e@x-y.example", b"a.b+c=d!e@x-y.example"),
        ("root@localhost", b"root@localhost"),
        ("ada@b\u00fccher.example", b"ada@xn--bcher-kva.example"),
        ("ada@B\u00dcCHER.example", b"ada@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_written_in_ascii(address: str, encoded: bytes) -> None:
    assert path(address, utf8=False) == encoded


def test_a_local_part_outside_ascii_needs_a_server_that_takes_it() -> None:
    assert path("rené@bücher.example", utf8=True) == "rené@xn--bcher-kva.example".encode()
    with pytest.raises(Unsendable, match="outside ASCII"):
        path("rené@bücher.example", utf8=False)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@example.org\r\nRCPT TO:<eve@example.org",
        "ada\r\n@example.org",
        "ada@example.org\n",
        "ada@exa\rmple.org",
        "<ada@example.org>",
        "ada@example.org>",
        "ada @example.org",
        "ada@exam ple.org",
        '"a b"@example.org',
        "a,b@example.org",
        "ada@bob@example.org",
        "ada@-example.org",
        "ada@example..org",
        "ada@[127.0.0.1]",
        "a\u2028da@example.org",
        "a\u0085da@example.org",
        "a\ud800@example.org",
        "a" * 65 + "@example.org",
        "é" * 33 + "@example.org",
        "a@" + "b" * 60 + ".c" * 130,
        "a@" + "b" * 64 + ".é",
    ],
)
def test_what_is_no_single_mailbox_is_refused(address: str) -> None:
    with pytest.raises(Unsendable):
        path(address, utf8=True)


DOMAIN = st.text(alphabet="abé.-<> \r\n", max_size=12)


@given(st.text(max_size=30) | st.builds("{}@{}".format, st.text(max_size=10), DOMAIN))
def test_no_address_breaks_out_of_its_command(address: str) -> None:
    try:
        encoded = path(address, utf8=True)
    except Unsendable:
        return
    assert not re.search(rb"[\x00-\x20\x7f<>]", encoded)
    assert encoded.count(b"@") == 1
