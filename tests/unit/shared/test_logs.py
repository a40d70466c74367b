"""The redactor: nobody's address, number or token in any log, wherever it stands."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared import logs
from shared.logs import REMOVED, redact, redactor

LOCAL = st.from_regex(r"[A-Za-z0-9._%+-]{1,12}", fullmatch=True)
DOMAIN = st.from_regex(r"[a-z0-9-]{1,8}(\.[a-z]{2,6}){1,2}", fullmatch=True)
ADDRESS = st.builds("{}@{}".format, LOCAL, DOMAIN)
SEPARATOR = st.sampled_from(["", " ", ".", "-", "/", "\u00a0", "\u202f"])
PHONE = st.builds(
    lambda separator, digits, plus: plus + separator.join(digits),
    SEPARATOR,
    st.lists(st.sampled_from("0123456789"), min_size=9, max_size=13),
    st.sampled_from(["", "+"]),
)
TOKEN = st.builds(
    "{}{}".format,
    st.sampled_from(["xoxb-", "xoxp-", "xapp-1-", "mst_"]),
    st.from_regex(r"[A-Za-z0-9]{8,30}", fullmatch=True),
)
PERSONAL = ADDRESS | PHONE | TOKEN
BEFORE = st.sampled_from(["", "to ", "<", "(", '"', "mail: ", "\n", "name="])
AFTER = st.sampled_from(["", " to", ">", ")", '"', ",", "\n", "; x"])
NESTED = st.recursive(
    PERSONAL,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.tuples(inner)
        | st.dictionaries(st.sampled_from(["a", "b"]) | ADDRESS, inner, min_size=1, max_size=2)
    ),
    max_leaves=4,
)


@given(BEFORE, PERSONAL, AFTER)
def test_personal_data_in_a_text_is_removed(before: str, personal: str, after: str) -> None:
    assert personal not in redact(f"{before}{personal}{after}")


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner)
            if "@" in key:
                yield key
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


@given(NESTED)
def test_personal_data_is_removed_however_deep_it_stands(value: Any) -> None:
    event = redactor(None, "info", {"event": "x", "found": value})
    shown = json.dumps(event, ensure_ascii=False)
    for personal in leaves(value):
        assert json.dumps(personal, ensure_ascii=False)[1:-1] not in shown


@pytest.mark.parametrize(
    "name", ["address", "email", "body", "token", "ctx", "password", "first_name", "mobile"]
)
def test_a_field_named_for_personal_data_is_removed_whole(name: str) -> None:
    assert redactor(None, "info", {name: "Zoé"}) == {name: REMOVED}
    assert redactor(None, "info", {"x": [{name: "Zoé"}]}) == {"x": [{name: REMOVED}]}


@pytest.mark.parametrize(
    "harmless",
    [
        "0193b2f4-7c1e-7a3b-9d2e-0a1b2c3d4e5f",
        "campaign C-1042 is ready",
        "12345678 rows",
        "relay.leads epoch=3",
        "/muster/campaign",
        "3.13.0-rc.1",
    ],
)
def test_what_names_nobody_stays(harmless: str) -> None:
    assert redact(harmless) == harmless
    assert redactor(None, "info", {"n": 1234567890, "f": 1.5, "none": None}) == {
        "n": 1234567890,
        "f": 1.5,
        "none": None,
    }


def test_a_password_in_a_url_is_removed_and_its_host_stays() -> None:
    assert redact("postgresql://muster:hush@db:5432/x") == "postgresql://muster:[removed]@db:5432/x"


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    kept = root.handlers, root.level
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure(level="debug", service="campaign")
    yield stream
    root.handlers, root.level = kept
    structlog.reset_defaults()


def fail() -> None:
    raise ValueError("cannot write to jane@example.org")


def test_one_json_line_an_event_with_its_service(output: io.StringIO) -> None:
    logs.logger("x.y").info("outbox.relayed", count=3)
    (line,) = output.getvalue().splitlines()
    found = json.loads(line)
    assert found["event"] == "outbox.relayed"
    assert (found["count"], found["service"], found["level"]) == (3, "campaign", "info")
    assert found["timestamp"].endswith("Z")


def test_an_exceptions_text_and_trace_are_redacted(output: io.StringIO) -> None:
    try:
        fail()
    except ValueError as problem:
        logs.logger("x").warning("failed", exc_info=problem)
    assert "jane" not in output.getvalue()
    assert "ValueError: cannot write to [removed]" in json.loads(output.getvalue())["exception"]


def test_a_librarys_log_is_redacted_too_with_its_arguments_and_extras(output: io.StringIO) -> None:
    foreign = logging.getLogger("aiosmtplib")
    foreign.warning("cannot reach %s", "jane@example.org", extra={"who": "bob@example.org"})
    try:
        fail()
    except ValueError:
        foreign.exception("again")
    assert "@" not in output.getvalue()
    assert json.loads(output.getvalue().splitlines()[0])["event"] == "cannot reach [removed]"
