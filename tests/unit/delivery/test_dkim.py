"""DKIM: signatures that another implementation verifies, and keys that stay secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dkim
import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.compose import Composer
from services.delivery.dkim.keys import (
    is_domain,
    is_selector,
    new_key,
    public_text,
    record_of,
    sealed,
    unsealed,
    zone_line,
)
from services.delivery.dkim.signing import (
    Algorithm,
    Signer,
    SigningKey,
    relaxed_body,
    relaxed_headers,
)
from services.delivery.domain.runs import RunKind
from services.delivery.rendering import prepare
from shared.sealing import WrongSecret
from tests.unit.delivery.test_composing import NOW, SOURCE, merge_of, read, row, settings

KEYS = {
    algorithm: SigningKey("example.org", f"s{algorithm}", algorithm, new_key(algorithm))
    for algorithm in Algorithm
}
RECORDS = {
    f"{key.selector}._domainkey.example.org.".encode(): record_of(
        key.algorithm, public_text(key.private)
    ).encode()
    for key in KEYS.values()
}


def look_up(name: bytes, timeout: int = 5) -> bytes | None:
    assert timeout
    return RECORDS.get(name)


def mail(*algorithms: Algorithm, **more: Any) -> bytes:
    signer = Signer([KEYS[algorithm] for algorithm in algorithms])
    composer = Composer(prepare(replace(SOURCE, **more)), settings(), signer)
    merge = merge_of("Zoé" * 30, "L", "Moulin  Neuf ", "a", " ", "https://x.example")
    return composer.compose(row(merge, RunKind.CAMPAIGN), at=NOW)


def verified(raw: bytes, index: int = 0) -> bool:
    try:
        return bool(dkim.DKIM(raw).verify(idx=index, dnsfunc=look_up))
    except dkim.ValidationError:
        return False


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("text", ["", "Dear  \t\n\n{{ ctx.a }}\t \n \n\n"])
def test_a_signature_verifies_with_another_implementation(algorithm: Algorithm, text: str) -> None:
    raw = mail(algorithm, text=text)
    assert verified(raw)
    read(raw)
    head = raw.partition(b"\r\n\r\n")[0]
    signature = head[: head.index(b"From:")]
    assert max(map(len, signature.split(b"\r\n"))) <= 78


def test_both_signatures_stand_in_one_mail() -> None:
    raw = mail(Algorithm.RSA, Algorithm.ED25519)
    assert raw.count(b"DKIM-Signature:") == 2
    assert verified(raw, 0)
    assert verified(raw, 1)


@pytest.mark.parametrize(
    "changed",
    [
        (b"To: ada@", b"To: eve@"),
        (b"Subject: ", b"Subject: x"),
        (b"List-Unsubscribe: <https://m", b"List-Unsubscribe: <https://n"),
        (b"=One-Click", b"=Two-Click"),
        (b"Moulin", b"Mouline"),
        (b"From: Example", b"From: Eve <eve@x.example>\r\nFrom: Example"),
        (b"Date: Mon", b"Date: Tue"),
    ],
)
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_is_signed_cannot_be_changed(
    algorithm: Algorithm, changed: tuple[bytes, bytes]
) -> None:
    raw = mail(algorithm)
    forged = raw.replace(*changed, 1)
    assert forged != raw
    assert not verified(forged)


@given(
    st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"  ", b"=20", b"."]), max_size=30).map(
        b"".join
    )
)
def test_a_body_is_canonical_as_another_implementation_has_it(body: bytes) -> None:
    whole = body + b"\r\n"
    assert relaxed_body(whole) == Relaxed.canonicalize_body(whole)


def test_headers_are_canonical_as_the_rfc_shows_them() -> None:
    assert relaxed_headers("A: X\r\nB : Y\t\r\n\tZ  \r\nC:1  \r\n  2") == {
        "a": "X",
        "b": "Y Z",
        "c": "1 2",
    }


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_private_key_is_read_only_with_its_secret_and_under_its_name(
    algorithm: Algorithm,
) -> None:
    key = KEYS[algorithm].private
    hidden = sealed(b"secret", key, domain="example.org", selector="a")
    again = unsealed(b"secret", hidden, domain="example.org", selector="a")
    assert public_text(again) == public_text(key)
    for secret, selector in ((b"another", "a"), (b"secret", "b")):
        with pytest.raises(WrongSecret):
            unsealed(secret, hidden, domain="example.org", selector=selector)


def test_a_record_stands_in_strings_that_a_zone_file_takes() -> None:
    record = record_of(Algorithm.RSA, public_text(KEYS[Algorithm.RSA].private))
    line = zone_line("example.org", "a", record)
    assert line.startswith('a._domainkey.example.org. IN TXT ( "v=DKIM1; k=rsa; p=')
    strings = line.split('"')[1::2]
    assert "".join(strings) == record
    assert max(map(len, strings)) <= 255


@pytest.mark.parametrize(
    ("text", "domain", "selector"),
    [
        ("example.org", True, True),
        ("a-b.example.org", True, True),
        ("a", False, True),
        ("-a.example", False, False),
        ("a..b", False, False),
        ("é.example", False, False),
        ("a b", False, False),
        ("a\nb.c", False, False),
        ("a.example\n", False, False),
        ("", False, False),
    ],
)
def test_names_of_keys_are_names_in_the_dns(text: str, *, domain: bool, selector: bool) -> None:
    assert (is_domain(text), is_selector(text)) == (domain, selector)
