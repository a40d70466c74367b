"""A small vocabulary of checks for Block Kit: each names what is wrong and where, in Slack's words.

A check takes a value and its JSON pointer and yields one complaint per fault.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

Check = Callable[[object, str], Iterator[str]]


def complaint(what: str, pointer: str) -> str:
    """Return ``what`` with its place, as Slack's ``response_metadata.messages`` has it."""
    return f"{what} [json-pointer:{pointer}]"


def string(
    *,
    most: int | None = None,
    least: int = 0,
    one_of: Collection[str] | None = None,
    pattern: str | None = None,
) -> Check:
    """Return a check for a string of ``least`` to ``most`` characters."""

    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield complaint("must provide a string", pointer)
            return
        if most is not None and len(value) > most:
            yield complaint(f"must be less than {most + 1} characters", pointer)
        if len(value) < least:
            yield complaint(f"must be more than {least - 1} characters", pointer)
        if one_of is not None and value not in one_of:
            yield complaint("must be a valid enum value", pointer)
        if pattern is not None and not re.fullmatch(pattern, value):
            yield complaint("must be a valid format", pointer)

    return check


def boolean(value: object, pointer: str) -> Iterator[str]:
    """Complain about anything but true or false."""
    if not isinstance(value, bool):
        yield complaint("must provide a boolean", pointer)


def integer(*, least: int, most: int | None = None) -> Check:
    """Return a check for a whole number from ``least`` to ``most``."""

    def check(value: object, pointer: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield complaint("must provide an integer", pointer)
        elif value < least:
            yield complaint(f"must be more than {least - 1}", pointer)
        elif most is not None and value > most:
            yield complaint(f"must be less than {most + 1}", pointer)

    return check


def array(item: Check, *, least: int = 0, most: int | None = None) -> Check:
    """Return a check for a list whose every element passes ``item``."""

    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield complaint("must provide an array", pointer)
            return
        if most is not None and len(value) > most:
            yield complaint(f"no more than {most} items allowed", pointer)
        if len(value) < least:
            yield complaint(f"no less than {least} items allowed", pointer)
        for index, element in enumerate(value):
            yield from item(element, f"{pointer}/{index}")

    return check


def anything(_value: object, _pointer: str) -> Iterator[str]:
    """Accept any value: content Slack builds by itself, which this stub only carries."""
    return iter(())


def record(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    *,
    rules: Sequence[Check] = (),
) -> Check:
    """Return a check for an object with these fields and no others; ``rules`` see it whole."""
    known = {**required, **(optional or {})}

    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield complaint("must provide an object", pointer)
            return
        for name in required:
            if value.get(name) is None:
                yield complaint(f"missing required field: {name}", pointer)
        for name, content in value.items():
            if name not in known:
                yield complaint(f"invalid additional property: {name}", pointer)
            elif content is not None:
                yield from known[name](content, f"{pointer}/{name}")
        for rule in rules:
            yield from rule(value, pointer)

    return check


def by_type(kinds: Mapping[str, Check]) -> Check:
    """Return a check that hands an object to the check of its ``type``."""

    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield complaint("must provide an object", pointer)
            return
        kind = value.get("type")
        if kind is None:
            yield complaint("missing required field: type", pointer)
        elif not isinstance(kind, str) or kind not in kinds:
            yield complaint(f"unsupported type: {kind}", f"{pointer}/type")
        else:
            yield from kinds[kind](value, pointer)

    return check


def either(*names: str) -> Check:
    """Return a rule: one of these fields at least."""
    listed = " or ".join(f"`{name}`" for name in names)

    def check(value: object, pointer: str) -> Iterator[str]:
        if isinstance(value, dict) and all(value.get(name) is None for name in names):
            yield complaint(f"must define either {listed}", pointer)

    return check


def not_both(first: str, second: str) -> Check:
    """Return a rule: at most one of two fields."""

    def check(value: object, pointer: str) -> Iterator[str]:
        if isinstance(value, dict) and value.get(first) and value.get(second):
            yield complaint(f"cannot define both `{first}` and `{second}`", pointer)

    return check


_PLAIN = frozenset({"plain_text"})
_ANY_TEXT = frozenset({"plain_text", "mrkdwn"})


def _text(most: int, least: int, kinds: frozenset[str]) -> Check:
    content = string(most=most, least=least)
    shapes = {
        "plain_text": record({"type": anything, "text": content}, {"emoji": boolean}),
        "mrkdwn": record({"type": anything, "text": content}, {"verbatim": boolean}),
    }
    return by_type({kind: shapes[kind] for kind in sorted(kinds)})


def plain_text(most: int, *, least: int = 1) -> Check:
    """Return a check for a ``plain_text`` object; ``mrkdwn`` is refused."""
    return _text(most, least, _PLAIN)


def any_text(most: int, *, least: int = 1) -> Check:
    """Return a check for a text object of either kind."""
    return _text(most, least, _ANY_TEXT)
