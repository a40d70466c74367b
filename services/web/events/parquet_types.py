"""Which types of Arrow an event's columns may have, and what each value becomes in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.types as kinds

Convert: TypeAlias = Callable[[Any], Any]

_PLAIN: Final = (
    *(kinds.is_null, kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_decimal),
    *(kinds.is_string, kinds.is_large_string, kinds.is_string_view),
    *(kinds.is_date, kinds.is_time, kinds.is_timestamp),
)
_BYTES: Final = (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary)
_LISTS: Final = (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list)
_TEXTS: Final = (kinds.is_string, kinds.is_large_string, kinds.is_integer)


class NotTaken(Exception):
    """A type, or a value, that no event has."""


def converter(given: pa.DataType) -> Convert:
    """Return what makes a value of a type (as pyarrow gives it) one of JSON.

    A member of a struct that is null says nothing: a struct has its members in every row. Those of
    lists and maps stay null.

    Raises:
        NotTaken: the type is none of an event's.
    """
    if isinstance(given, pa.BaseExtensionType):
        given = given.storage_type if not isinstance(given, pa.UuidType) else pa.string()
    if _is(given, _PLAIN):
        return _same
    if _is(given, _BYTES):
        return _text
    if kinds.is_dictionary(given):
        return converter(given.value_type)
    if _is(given, _LISTS):
        return _list(converter(given.value_type))
    if kinds.is_struct(given):
        return _struct({one.name: converter(one.type) for one in given}, given)
    if kinds.is_map(given) and _is(given.key_type, _TEXTS):
        return _map(converter(given.item_type))
    raise NotTaken(f"is of the type {str(given)[:100]}, which no event has")


def in_microseconds(given: pa.DataType) -> pa.DataType:
    """Return a type with its nanoseconds (which Python's times lack) as microseconds."""
    if kinds.is_timestamp(given) and given.unit == "ns":
        return pa.timestamp("us", tz=given.tz)
    if kinds.is_time64(given) and given.unit == "ns":
        return pa.time64("us")
    if kinds.is_list(given):
        return pa.list_(in_microseconds(given.value_type))
    if kinds.is_struct(given):
        return pa.struct([pa.field(one.name, in_microseconds(one.type)) for one in given])
    return given


def _is(given: pa.DataType, known: tuple[Callable[[pa.DataType], bool], ...]) -> bool:
    return any(kind(given) for kind in known)


def _same(value: Any) -> Any:
    return value


def _text(value: bytes) -> str:
    return value.decode()


def _list(convert: Convert) -> Convert:
    if convert is _same:
        return _same
    return lambda values: [None if one is None else convert(one) for one in values]


def _struct(members: dict[str, Convert], given: pa.DataType) -> Convert:
    if len(members) < given.num_fields:
        raise NotTaken("has a member twice")

    def converted(value: dict[str, Any]) -> dict[str, Any]:
        return {name: members[name](one) for name, one in value.items() if one is not None}

    return converted


def _map(convert: Convert) -> Convert:
    def converted(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        found = {str(key): None if one is None else convert(one) for key, one in pairs}
        if len(found) < len(pairs):
            raise NotTaken("holds a key twice")
        return found

    return converted
