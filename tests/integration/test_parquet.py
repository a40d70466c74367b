"""Parquet files, read by a process of its own: real files, and files made to do harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.web.events import parquet
from services.web.events.parquet import is_parquet, parquet_rows
from services.web.events.reading import LARGEST_LINE, NotRead, Unreadable
from services.web.events.rows import Row

MIB = 1_048_576


def event(**columns: Any) -> pa.Table:
    """Return a table of one row."""
    return pa.table({"type": ["order"], "email": ["ann@example.org"], **columns})


async def rows_of(path: Path, memory_bytes: int = parquet.MEMORY_BYTES) -> list[Row]:
    return [row async for row in parquet_rows(path, memory_bytes=memory_bytes)]


async def read(tmp_path: Path, table: pa.Table, **options: Any) -> list[Row]:
    path = tmp_path / "events.parquet"
    pq.write_table(table, path, **options)
    return await rows_of(path)


def events_of(rows: list[Row]) -> list[dict[str, Any]]:
    return [json.loads(row.line) for row in rows if isinstance(row.line, bytes)]


async def test_every_type_an_event_may_have_becomes_json(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    line = pa.struct([("sku", pa.string()), ("n", pa.int32()), ("at", pa.timestamp("ns", "UTC"))])
    table = event(
        external_id=pa.array([1042], pa.int64()),
        scheduled=pa.array([at], pa.timestamp("ns", tz="UTC")),
        phone=pa.array([None], pa.string()),
        **{
            "ctx.order.lines": pa.array([[{"sku": "A", "n": None, "at": at}]], pa.list_(line)),
            "ctx.order.tags": pa.array([[("k", "v"), ("n", None)]], pa.map_("string", "string")),
            "ctx.total": pa.array([Decimal("9.90")], pa.decimal128(10, 2)),
            "ctx.day": pa.array([date(2026, 1, 2)]),
            "ctx.bytes": pa.array(["é".encode()], pa.binary()),
            "ctx.kind": pa.array(["gold"]).dictionary_encode(),
            "ctx.flags": pa.array([[True, None, False]]),
            "ctx.ratio": pa.array([0.5]),
        },
    )
    (found,) = events_of(await read(tmp_path, table))
    assert found == {
        "type": "order",
        "email": "ann@example.org",
        "external_id": "1042",
        "scheduled": "2026-01-02T03:04:05.000006+00:00",
        "ctx": {
            "order": {
                "lines": [{"sku": "A", "at": "2026-01-02T03:04:05.000006+00:00"}],
                "tags": {"k": "v", "n": None},
            },
            "total": "9.90",
            "day": "2026-01-02",
            "bytes": "é",
            "kind": "gold",
            "flags": [True, None, False],
            "ratio": 0.5,
        },
    }


@pytest.mark.parametrize(
    "ctx",
    [
        pa.array(['{"id": "A-1"}']),
        pa.array([b'{"id": "A-1"}'], pa.binary()),
        pa.array([{"id": "A-1", "gone": None}]),
        pa.array([[("id", "A-1")]], pa.map_("string", "string")),
    ],
    ids=["text", "bytes", "struct", "map"],
)
async def test_a_context_is_json_a_struct_or_a_map(tmp_path: Path, ctx: pa.Array) -> None:
    (found,) = events_of(await read(tmp_path, event(ctx=ctx)))
    assert found["ctx"] == {"id": "A-1"}


async def test_what_cannot_be_read_keeps_its_row_out_alone(tmp_path: Path) -> None:
    raw = pa.array([b"a@b.example", b"\xff\xfe", b"c@b.example", b"d@b.example"])
    table = pa.table(
        {
            "type": ["a", "b", "c", "d"],
            "email": pa.Array.from_buffers(pa.string(), 4, raw.buffers()),
            "scheduled": pa.array([0, 0, 2**62, 0], pa.timestamp("us", tz="UTC")),
        }
    )
    first, second, third, last = await read(tmp_path, table)
    assert (isinstance(first.line, bytes), isinstance(last.line, bytes)) == (True, True)
    assert isinstance(second.line, Unreadable)
    assert (second.line.field, "no text" in second.line.reason) == ("email", True)
    assert isinstance(third.line, Unreadable)
    assert (third.line.field, "out of range" in third.line.reason) == ("scheduled", True)
    assert last.place == (tmp_path / "events.parquet").stat().st_size


async def test_a_key_twice_in_a_map_is_not_lost_silently(tmp_path: Path) -> None:
    twice = pa.array([[("a", "1"), ("a", "2")]], pa.map_("string", "string"))
    (row,) = await read(tmp_path, event(ctx=twice))
    assert row.line == Unreadable("ctx", "holds a key twice", b"ctx")


async def test_a_row_that_is_too_long_comes_no_longer_than_it_may_be(tmp_path: Path) -> None:
    table = pa.table({"type": ["a", "b"], "ctx.x": ["x" * 20 * MIB, ""]})
    long, short = await read(tmp_path, table)
    assert isinstance(long.line, bytes)
    assert len(long.line) == LARGEST_LINE + 1
    assert events_of([short]) == [{"type": "b"}]


def nested(depth: int) -> pa.Array:
    value, kind = pa.array(["x"]), pa.string()
    for _ in range(depth):
        kind = pa.list_(kind)
        value = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), value)
    return value


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"mail": ["x"]}, "column 'mail' is not known"),
        ({"ctx": pa.array([5], pa.duration("s"))}, "column 'ctx': is of the type duration"),
        ({"ctx.a": pa.array([[(1.5, "")]], pa.map_("double", "string"))}, "is of the type map"),
        ({"ctx.a": nested(101)}, "too deeply nested"),
    ],
)
async def test_columns_that_no_event_has_are_refused(
    tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotRead, match=reason):
        await read(tmp_path, event(**columns))


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def damaged(whole: bytes) -> bytes:
    """Return a file whose footer is right and whose pages are not."""
    return whole[:40] + bytes(byte ^ 0xFF for byte in whole[40:4000]) + whole[4000:]


@pytest.mark.parametrize(
    "harm",
    [cut, damaged, lambda _: b"", lambda _: b"PAR1", lambda _: b"PAR1" * 9, lambda _: b"type\na"],
)
async def test_a_damaged_file_is_refused_before_its_first_row(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "events.parquet"
    table = pa.table({"type": [f"t{n}" for n in range(2000)], "email": ["a@b.example"] * 2000})
    pq.write_table(table, path, compression="none", write_page_checksum=True)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(NotRead, match="cannot be read as Parquet"):
        await anext(parquet_rows(path))


async def test_a_bomb_ends_the_process_that_reads_it_and_is_refused(tmp_path: Path) -> None:
    """One text of 16 MiB, said 5,000 times in a file of a few hundred bytes a row group."""
    path = tmp_path / "bomb.parquet"
    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 5000, pa.int32()), pa.array(["z" * 16 * MIB])
    )
    table = pa.table({"type": ["t"] * 5000, "email": ["a@b.example"] * 5000, "ctx.x": text})
    pq.write_table(table, path)
    assert path.stat().st_size < 2 * MIB
    with pytest.raises(NotRead, match="the file takes over 1536 MiB of memory to read"):
        await rows_of(path)


async def test_more_rows_than_a_file_may_hold_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    part = pa.table({"type": pa.array(["t"] * 1_000_000).dictionary_encode()})
    with pq.ParquetWriter(path, part.schema) as writer:
        for _ in range(51):
            writer.write_table(part, row_group_size=1_000_000)
    assert path.stat().st_size < MIB
    with pytest.raises(NotRead, match="51000000 rows; a file holds at most 50000000"):
        await rows_of(path)


async def test_memory_stays_flat_over_one_large_row_group(tmp_path: Path) -> None:
    """The decoded rows are more than the memory there is, code and all."""
    path = tmp_path / "large.parquet"
    count, words = 30_000, "some words of a message " * 1000
    texts = [f"{number} {words}"[:20_000] for number in range(count)]
    table = pa.table({"type": ["t"] * count, "ctx.text": texts})
    pq.write_table(table, path, row_group_size=count, use_dictionary=False)
    number = 0
    async for row in parquet_rows(path, memory_bytes=450 * MIB):
        number += isinstance(row.line, bytes)
    assert number == count


async def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_CHILD", "shared.clock")  # ends at once and says nothing
    with pytest.raises(NotRead, match="ended the process that read it"):
        await read(tmp_path, event())


async def test_without_pyarrow_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NotRead, match=r"muster\[parquet\]"):
        await read(tmp_path, event())


@pytest.mark.parametrize(
    ("name", "content", "is_one"),
    [
        ("a.parquet", b"", True),
        ("a.PQ", b"x", True),
        ("a.dat", b"PAR1...", True),
        ("a.ndjson", b"{}", False),
    ],
)
def test_parquet_is_known_by_its_name_or_its_beginning(
    tmp_path: Path, name: str, content: bytes, is_one: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_parquet(tmp_path / name) is is_one
