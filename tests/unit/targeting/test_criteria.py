"""Criteria: what compiles, to which condition, and what is refused with which words."""

from __future__ import annotations

from datetime import date

import pytest

from services.targeting.criteria import compile_criteria
from services.targeting.fields import FIELDS, VIEWS
from shared.errors import Refused
from topics.targeting import Criterion, Operator


def one(field: str, operator: Operator, *values: str) -> tuple[str, list[object]]:
    """Return the condition and the parameters of a single criterion."""
    criterion = Criterion(field=field, operator=operator, values=values)
    conditions = compile_criteria([criterion])
    [condition] = conditions.of(field.partition(".")[0])
    return condition, conditions.args


@pytest.mark.parametrize(
    ("field", "operator", "values", "condition", "args"),
    [
        ("site.town", Operator.EQUALS, ["Lyon"], "s.town = $1::text", ["Lyon"]),
        (
            "site.town",
            Operator.NOT_EQUALS,
            ["Lyon"],
            "s.town IS DISTINCT FROM $1::text",
            ["Lyon"],
        ),
        ("contact.language", Operator.IN, ["fr", "en"], "c.language = ANY($1::text[])", None),
        ("contact.email", Operator.CONTAINS, ["50%_\\"], "c.email ILIKE $1::text", None),
        ("site.name", Operator.STARTS_WITH, ["Éco"], "s.name ILIKE $1::text", ["Éco%"]),
        ("site.headcount", Operator.AT_LEAST, ["250"], "s.headcount >= $1::bigint", [250]),
        (
            "deal.expected_signature",
            Operator.AT_MOST,
            ["2027-01-31"],
            "d.expected_signature <= $1::date",
            [date(2027, 1, 31)],
        ),
        ("contact.email", Operator.IS_EMPTY, [], "coalesce(c.email, '') = ''", []),
        ("contact.mobile", Operator.IS_SET, [], "NOT (coalesce(c.mobile, '') = '')", []),
        ("deal.revenue_minor", Operator.IS_EMPTY, [], "d.revenue_minor IS NULL", []),
    ],
)
def test_a_criterion_becomes_a_typed_condition(
    field: str, operator: Operator, values: list[str], condition: str, args: list[object] | None
) -> None:
    compiled, found = one(field, operator, *values)
    assert compiled == condition
    if args is not None:
        assert found == args


def test_what_people_type_is_never_part_of_the_condition_and_wildcards_are_letters() -> None:
    condition, args = one("site.name", Operator.CONTAINS, "50%_\\'; DROP TABLE sites; --")
    assert condition == "s.name ILIKE $1::text"
    assert args == ["%50\\%\\_\\\\'; DROP TABLE sites; --%"]


def test_criteria_of_several_records_share_one_list_of_parameters() -> None:
    conditions = compile_criteria(
        [
            Criterion(field="deal.status", operator=Operator.EQUALS, values=("won",)),
            Criterion(field="site.country", operator=Operator.EQUALS, values=("FR",)),
            Criterion(field="deal.revenue_minor", operator=Operator.AT_LEAST, values=("5",)),
        ]
    )
    assert conditions.deal == ["d.status = $1::text", "d.revenue_minor >= $3::bigint"]
    assert conditions.site == ["s.country = $2::text"]
    assert conditions.args == ["won", "FR", 5]


@pytest.mark.parametrize(
    ("field", "operator", "values", "words"),
    [
        ("site.password", Operator.EQUALS, ["x"], "there is no field site.password; choose among"),
        ("contact.recipient_key", Operator.EQUALS, ["x"], "there is no field"),
        ("site.town", Operator.EQUALS, [], "site.town equals takes one value, not 0"),
        ("site.town", Operator.EQUALS, ["a", "b"], "takes one value, not 2"),
        ("site.town", Operator.IN, [], "takes one or more values"),
        ("site.town", Operator.IS_SET, ["a"], "takes no value"),
        ("site.town", Operator.AT_LEAST, ["a"], "site.town is text"),
        ("site.headcount", Operator.CONTAINS, ["1"], "site.headcount is no text"),
        ("site.headcount", Operator.EQUALS, ["many"], "takes whole numbers such as 250"),
        ("site.headcount", Operator.EQUALS, [str(2**63)], "at most 18 digits"),
        ("deal.expected_signature", Operator.EQUALS, ["31/01/2027"], "such as 2027-01-31"),
        ("site.town", Operator.EQUALS, ["a\x00"], "NUL"),
    ],
)
def test_a_criterion_that_makes_no_sense_is_refused_by_its_place(
    field: str, operator: Operator, values: list[str], words: str
) -> None:
    good = Criterion(field="site.town", operator=Operator.IS_SET)
    bad = Criterion(field=field, operator=operator, values=tuple(values))
    with pytest.raises(Refused) as caught:
        compile_criteria([good, bad])
    assert words in caught.value.reason
    assert caught.value.field == "criteria.1"


def test_direct_sql_sees_every_field_of_criteria_but_no_recipient_key() -> None:
    for name in FIELDS:
        record, _, column = name.partition(".")
        assert column in VIEWS[f"{record}s"]
    assert not any("recipient_key" in columns for columns in VIEWS.values())
