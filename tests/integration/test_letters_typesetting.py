"""Letters are set where they belong on the page, and their markup reaches nothing outside it."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.letters.letter import PLACES, SAMPLE, Style, letter_to
from shared.letters.typesetter import BadLetter, Document, TooSlow, Typesetter
from topics.letters import LetterWindow

AT = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
PLAIN = "Dear #data.contact.first_name,\n\nyour offer #data.campaign.number is here."
CANARY = "a canary that nobody sees"
MM = 72 / 25.4


async def set_one(
    source: str, *, count: int = 1, window: LetterWindow = LetterWindow.DIN_5008_B
) -> Document:
    style = Style(source, "en", window)
    letters = [
        letter_to(replace(SAMPLE, first_name=f"Ada{n}"), style, number="C-1042", label="Autumn")
        for n in range(count)
    ]
    async with Typesetter(seconds=15) as typesetter:
        return await typesetter.set(style, letters, AT)


def words_of(pdf: bytes, folder: Path) -> list[tuple[int, str, float, float]]:
    """Return each word with its page and its upper left corner in millimetres."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext of poppler-utils is not installed")
    path = folder / "letter.pdf"
    path.write_bytes(pdf)
    said = subprocess.run(
        ["pdftotext", "-bbox", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout
    found = []
    for number, page in enumerate(said.split("<page ")[1:]):
        for x, y, word in re.findall(r'xMin="([\d.]+)" yMin="([\d.]+)"[^>]*>([^<]*)<', page):
            found.append((number, word, float(x) / MM, float(y) / MM))
    return found


@pytest.mark.parametrize("window", list(LetterWindow))
async def test_an_address_stands_in_the_envelopes_window_and_the_text_below_it(
    window: LetterWindow, tmp_path: Path
) -> None:
    words = words_of((await set_one(PLAIN, window=window)).pdf, tmp_path)
    place = PLACES[window]
    [(_, _, x, y)] = [word for word in words if word[1] == "Exampletown"]
    assert place.left_mm < x < place.left_mm + place.width_mm
    assert place.top_mm < y < place.top_mm + place.height_mm
    [(_, _, x, y)] = [word for word in words if word[1] == "Dear"]
    assert x == pytest.approx(25, abs=1)
    assert y == pytest.approx(place.body_mm, abs=3)
    abroad = place.country != SAMPLE.country
    assert ("FRANCE" in {word[1] for word in words}) == abroad


async def test_a_hundred_letters_are_one_document_whose_pages_are_counted(tmp_path: Path) -> None:
    source = PLAIN + '\n#if data.contact.first_name == "Ada7" [#pagebreak() More.]'
    document = await set_one(source, count=100)
    assert document.pages == (*[1] * 7, 2, *[1] * 92)
    words = words_of(document.pdf, tmp_path)
    assert [word[0] for word in words if word[1] == "Dear"] == [*range(8), *range(9, 101)]
    assert [word[0] for word in words if word[1] == "2"] == [8], "later pages are numbered"
    assert document == await set_one(source, count=100), "the same letters make the same bytes"


UNSETTABLE = [
    ("#data.contact.nickname", 'does not contain key "nickname"'),
    ("#set page(width: 10cm)", "expected function, found none"),
    ("#metadata(1)<muster-begin>", "not the author's to use"),
    ("#for n in range(60) { pagebreak() }", "longer than 50 pages"),
    ("] #data.contact.first_name [", "unexpected closing bracket"),
    ("#let f(n) = f(n + 1)\n#f(0)", "maximum function call depth"),
    ("#sys.inputs", "cannot access fields on type none"),
    ('#std.read("x")', "none"),
    ('#eval("sys.inputs")', "found none"),
]


@pytest.mark.parametrize(("source", "reason"), UNSETTABLE)
async def test_markup_that_cannot_be_set_says_why(source: str, reason: str) -> None:
    with pytest.raises(BadLetter) as problem:
        await set_one(source)
    assert reason in problem.value.reason


async def test_markup_that_takes_too_long_is_given_up_and_the_next_is_set() -> None:
    style = Style('#let x = "a"; #for i in range(60) { x += x }', "en", LetterWindow.DIN_5008_B)
    letters = [letter_to(SAMPLE, style, number="C-1", label="x")]
    async with Typesetter(seconds=1.5) as typesetter:
        with pytest.raises((TooSlow, BadLetter)):
            await typesetter.set(style, letters, AT)
    async with Typesetter(seconds=15) as typesetter:
        assert (await typesetter.set(replace(style, source="x"), letters, AT)).pages == (1,)


# -- what it can reach


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary.txt"
    path.write_text(CANARY)
    return path


async def test_markup_reads_no_file(canary: Path) -> None:
    for source in (
        f'#read("{canary}")',
        f'#read("../../../../../../../..{canary}")',
        f'#include "{canary}"',
        f'#image("{canary}")',
        f'#json("{canary}")',
        '#read("/etc/passwd")',
        '#include "letter.typ"',
    ):
        with pytest.raises(BadLetter) as problem:
            await set_one(source)
        assert CANARY not in problem.value.reason


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Yield a port, and what was said to it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


PACKAGE = '#import "@preview/cetz:0.3.4"'


async def test_markup_connects_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as (port, heard):
        proxy = f"http://127.0.0.1:{port}"
        # Red control: typst by itself asks for the package, here of the proxy it is told to use.
        open_typst = f"import typst; typst.compile({PACKAGE.encode()!r})"
        unguarded = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", open_typst),
            env={"https_proxy": proxy, "HTTPS_PROXY": proxy, "PATH": "/usr/bin:/bin"},
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await unguarded.wait() != 0
        assert b"packages.typst.org" in b"".join(heard)
        heard.clear()

        whole = asyncio.create_subprocess_exec

        async def with_proxy(*words: str, **options: object) -> asyncio.subprocess.Process:
            environment = options.pop("env")
            assert isinstance(environment, dict)
            return await whole(
                *words,
                env=environment | {"https_proxy": proxy, "HTTPS_PROXY": proxy},
                **options,  # type: ignore[arg-type]  # handed on as they came
            )

        monkeypatch.setattr(asyncio, "create_subprocess_exec", with_proxy)
        with pytest.raises(BadLetter, match="a letter cannot be set"):
            await set_one(PACKAGE)
        assert heard == []


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="there is no /proc here")
async def test_the_child_may_open_nothing() -> None:
    style = Style(PLAIN, "en", LetterWindow.DIN_5008_B)
    async with Typesetter() as typesetter:
        await typesetter.set(style, [letter_to(SAMPLE, style, number="C-1", label="x")], AT)
        child = typesetter._child
        assert child is not None
        limits = await asyncio.to_thread(Path(f"/proc/{child.pid}/limits").read_text)
    assert re.search(r"Max open files\s+0\s+0", limits)
