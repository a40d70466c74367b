"""The guard of direct SQL: what it refuses, what it lets pass, and what it can never return."""

import logging

import pytest

from services.targeting.guard import SqlRefused, check_sql
from tests.unit.targeting.attacks import ATTACKS
from tests.unit.targeting.queries import ACCEPTED, VIEWS


def checked(sql: str) -> str:
    return check_sql(sql, views=VIEWS)


def refusal(sql: str) -> SqlRefused:
    with pytest.raises(SqlRefused) as caught:
        checked(sql)
    return caught.value


@pytest.mark.parametrize("sql", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_is_refused_with_a_reason_and_is_not_logged(
    sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        refused = refusal(sql)
    assert refused.reason.endswith(".")
    assert len(refused.fragment) <= 80
    assert bool(refused.fragment) == bool(sql)
    assert not caplog.records


@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_reading_query_passes_and_stays_as_it_is(sql: str) -> None:
    once = checked(sql)
    assert checked(once) == once


@pytest.mark.parametrize(
    ("sql", "normal"),
    [
        ("select Name from SITES", 'SELECT "name" FROM "directory"."sites"'),
        ("SELECT name FROM sites;", 'SELECT "name" FROM "directory"."sites"'),
        ("select name from sites -- all /* of */ them", 'SELECT "name" FROM "directory"."sites"'),
        (
            "select /* drop table x; */ s.name from Directory.Sites s",
            'SELECT "s"."name" FROM "directory"."sites" AS "s"',
        ),
        (
            "with sites as (select name from sites) select name from sites",
            'WITH "sites" AS (SELECT "name" FROM "directory"."sites") SELECT "name" FROM "sites"',
        ),
        (
            "select 'it''s; -- /* kept */' as x from sites",
            """SELECT 'it''s; -- /* kept */' AS "x" FROM "directory"."sites\"""",
        ),
    ],
)
def test_the_normal_form_quotes_names_adds_the_schema_and_drops_comments(
    sql: str, normal: str
) -> None:
    assert checked(sql) == normal


def test_a_name_outside_the_scope_of_its_with_is_not_a_table() -> None:
    refused = refusal("select * from (with x as (select 1 as a) select a from x) y, x")
    assert refused.reason.startswith("This table cannot be read. The views are: contacts, deals")


def test_a_name_with_its_schema_is_the_view_whatever_a_with_is_called() -> None:
    assert checked("with sites as (select 1 as a) select name from directory.sites")
    assert (
        "not in the tables"
        in refusal("with sites as (select 1 as a) select a from directory.sites").reason
    )


def test_an_alias_serves_for_sorting_and_grouping_but_not_for_reading() -> None:
    assert checked("select upper(town) as big, count(*) from sites group by big order by big")
    assert (
        "not in the tables"
        in refusal("select upper(town) as big from sites where big = 'X'").reason
    )


def test_a_later_with_is_not_seen_by_an_earlier_one() -> None:
    assert (
        "cannot be read"
        in refusal("with a as (select b from b), b as (select 1 as b) select 1").reason
    )


def test_a_refused_function_is_quoted_back() -> None:
    refused = refusal("select site_ref from sites where pg_sleep(10) is null")
    assert (refused.fragment, str(refused)) == ("pg_sleep", refused.reason)


def test_a_long_fragment_is_cut() -> None:
    assert len(refusal(f"select {'x' * 60 + '_' + 'y' * 60} from sites").fragment) == 80


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select name from sites where name = '" + "x" * 20_000 + "'", "longer than 20000"),
        ("select " + "(" * 41 + "1" + ")" * 41, "nested too deeply"),
        ("select " + "case when true then " * 21 + "1" + " end" * 21, "nested too deeply"),
        ("select " + "not " * 4_000 + "true", "nested too deeply"),
        ("select " + "- " * 150 + "1", "nested too deeply"),
        ("select 1" + " union select 1" * 1_300, "nested too deeply"),
        ("select " + "a" * 64 + " from sites", "longer than 63 bytes"),
    ],
)
def test_size_and_depth_have_limits(sql: str, reason: str) -> None:
    assert reason in refusal(sql).reason


def test_a_long_list_of_conditions_is_not_deep() -> None:
    conditions = " or ".join(f"town = 'T{n}'" for n in range(500))
    assert checked(f"select site_ref from sites where {conditions}").count(" OR ") == 499


def test_only_the_views_given_can_be_read() -> None:
    only = {"members": frozenset({"ref"})}
    assert check_sql("select ref from members", views=only).endswith('"directory"."members"')
    with pytest.raises(SqlRefused, match="The views are: members"):
        check_sql("select name from sites", views=only)
