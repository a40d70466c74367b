"""The process that reads a Parquet file: ``python -m … FILE BYTES_OF_MEMORY``.

A file from outside is decoded here by a library in C++, so that one made to crash it or to fill the
memory (a page of zeros, one long text said a million times) ends this process and nothing else. The
file is decoded to its end once before its first row goes out: what is damaged is refused whole.

Frames go out: one byte of kind, four of length, the content. First ``ROWS`` and how many there are,
then one a row (``LINE`` or ``UNREADABLE``), then ``END``; or ``REFUSED`` and why, at any place.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from services.web.events.columns import check_columns, event_line
from services.web.events.parquet_types import Convert, NotTaken, converter, in_microseconds
from services.web.events.reading import LARGEST_LINE, NotRead, Unreadable

ROWS, LINE, UNREADABLE, REFUSED, END = b"N", b"L", b"U", b"R", b"E"
MOST_ROWS: Final = 50_000_000
"""A run length can say any number of equal rows in a few bytes."""
BATCH_ROWS: Final = 128
_BUFFER: Final = 1_048_576
_THRIFT_BYTES: Final = 16_777_216
_THRIFT_ITEMS: Final = 1_000_000

Columns = list[tuple[str, Convert, pa.DataType]]


def main() -> None:
    """Write a file's rows, or why it is refused."""
    path, memory_bytes = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    out = sys.stdout.buffer
    try:
        _read(path, out)
    except NotRead as problem:
        _write(out, REFUSED, str(problem).encode())
    except MemoryError:
        reason = f"the file takes over {memory_bytes >> 20} MiB of memory to read"
        _write(out, REFUSED, reason.encode())
    except (pa.ArrowException, OSError) as problem:
        reason = f"the file cannot be read as Parquet: {' '.join(str(problem).split())[:300]}"
        _write(out, REFUSED, reason.encode(errors="replace"))
    out.flush()


def _read(path: str, out: BinaryIO) -> None:
    file = _opened(path)
    if file.metadata.num_rows > MOST_ROWS:
        raise NotRead(422, f"{file.metadata.num_rows} rows; a file holds at most {MOST_ROWS}")
    columns = _columns(file.schema_arrow)
    counted = sum(batch.num_rows for batch in _batches(file))
    _write(out, ROWS, str(counted).encode())
    for batch in _batches(file):
        for line in _lines(batch, columns):
            if isinstance(line, Unreadable):
                _write(out, UNREADABLE, _encoded(line))
            else:
                _write(out, LINE, line[: LARGEST_LINE + 1])
        out.flush()
    _write(out, END, b"")


def _opened(path: str) -> pq.ParquetFile:
    return pq.ParquetFile(
        path,
        memory_map=False,
        pre_buffer=False,
        buffer_size=_BUFFER,
        page_checksum_verification=True,
        thrift_string_size_limit=_THRIFT_BYTES,
        thrift_container_size_limit=_THRIFT_ITEMS,
    )


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    batches: Iterator[pa.RecordBatch] = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
    return batches


def _columns(schema: pa.Schema) -> Columns:
    check_columns(schema.names)
    found: Columns = []
    for field in schema:
        try:
            found.append((field.name, converter(field.type), in_microseconds(field.type)))
        except NotTaken as problem:
            raise NotRead(422, f"column {field.name!r}: {problem}") from None
    return found


def _lines(batch: pa.RecordBatch, columns: Columns) -> Iterator[bytes | Unreadable]:
    cells = [
        (name, list(_cells(batch.column(place), convert, target)))
        for place, (name, convert, target) in enumerate(columns)
    ]
    for row in range(batch.num_rows):
        values = [(name, column[row]) for name, column in cells]
        wrong = next(((name, one) for name, one in values if isinstance(one, NotTaken)), None)
        if wrong is None:
            yield event_line(values)
        else:
            name, problem = wrong
            yield Unreadable(name.partition(".")[0], str(problem), name.encode())


def _cells(column: pa.Array, convert: Convert, target: pa.DataType) -> Iterator[Any]:
    """Yield a column's values; one that Python cannot hold as what keeps its row out."""
    try:
        if target != column.type:
            column = column.cast(target, safe=False)
        values = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        yield from (_cell(one, convert) for one in column)
    else:
        yield from (_cell(one, convert) for one in values)


def _cell(given: Any, convert: Convert) -> Any:
    try:
        value = given.as_py() if isinstance(given, pa.Scalar) else given
        return None if value is None else convert(value)
    except NotTaken as problem:
        return problem
    except UnicodeDecodeError:
        return NotTaken("holds bytes that are no text (UTF-8)")
    except (ValueError, OverflowError):
        return NotTaken("holds a time or a number out of range")


def _encoded(one: Unreadable) -> bytes:
    text = one.text[:LARGEST_LINE].decode(errors="replace")
    return json.dumps([one.field, one.reason, text]).encode()


def _write(out: BinaryIO, kind: bytes, content: bytes) -> None:
    out.write(kind + len(content).to_bytes(4) + content)


if __name__ == "__main__":
    main()
