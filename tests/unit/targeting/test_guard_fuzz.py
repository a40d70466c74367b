"""Whatever is written, the guard returns only reads of the views, in a form that it keeps."""

import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from services.targeting.guard import SqlRefused, check_sql
from tests.unit.targeting.attacks import ATTACKS
from tests.unit.targeting.queries import ACCEPTED, VIEWS

NEVER = (
    exp.Anonymous,
    exp.Command,
    exp.Copy,
    exp.CurrentUser,
    exp.DDL,
    exp.Delete,
    exp.Dot,
    exp.Drop,
    exp.Into,
    exp.Lateral,
    exp.Lock,
    exp.Merge,
    exp.ObjectIdentifier,
    exp.Operator,
    exp.Parameter,
    exp.Placeholder,
    exp.PseudoType,
    exp.SessionParameter,
    exp.Set,
    exp.TableSample,
    exp.UDTF,
    exp.Update,
    exp.Values,
)

HARMLESS = ("name", "s.town", "headcount", "'it''s'", "1", "null", "current_date", '"name"')
HARMFUL = (
    "pg_sleep(1)",
    "s.pg_typeof",
    "ctid",
    "$1",
    "user",
    "'sites'::regclass",
    "(select rolname from pg_roles)",
    'U&"\\0061"',
    "$$x$$",
    "(delete from sites)",
    "name; select 1",
    "/* */ pg_notify('a', 'b')",
    "x.y.z",
    '"a""b"',
    "\\",
    "é",
)
TABLES = ("sites s", "directory.sites as s", '"sites" s')
OTHER_TABLES = ("pg_class s", "s", "generate_series(1, 9) s", "x.sites s", "(values (1)) s")


def expressions(bases: tuple[str, ...], wraps: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(bases),
        lambda inner: st.builds(str.format, st.sampled_from(wraps), inner, inner),
        max_leaves=6,
    )


SAFE_WRAPS = (
    "({0})",
    "lower({0}::text)",
    "coalesce({0}, {1})",
    "case when {0} is null then {1} end",
    "{0}::text || {1}::text",
    "(select {0} from sites q limit 1)",
    "count({0}) over (order by {1})",
)
WRAPS = (*SAFE_WRAPS, "exists (select {0})", "array[{0}, {1}]", "{0}({1})", "{0} {1}", "{0}, {1}")
SHAPES = (
    "select {0} as a from {2} where {1} is not null order by {0}",
    "with c as (select {0} as a, {1} as b from {2}) select a from c where b is null",
    "select {0} from {2} union select {1} from {2}",
    "select q.a from (select {0} as a, {1} as b from {2}) q group by q.a",
)

safe = st.builds(
    str.format,
    st.sampled_from(SHAPES),
    expressions(HARMLESS, SAFE_WRAPS),
    expressions(HARMLESS, SAFE_WRAPS),
    st.sampled_from(TABLES),
)
mixed = st.builds(
    str.format,
    st.sampled_from(SHAPES),
    expressions(HARMLESS + HARMFUL, WRAPS),
    expressions(HARMLESS + HARMFUL, WRAPS),
    st.sampled_from(TABLES + OTHER_TABLES),
)


@st.composite
def spliced(draw: st.DrawFn) -> str:
    """The beginning of one statement, some words of a second, and the end of a third."""
    statements = st.sampled_from((*ACCEPTED, *ATTACKS.values())).map(lambda sql: sql.split(" "))
    head, middle, tail = draw(statements), draw(statements), draw(statements)
    cut = st.integers(min_value=0, max_value=12)
    start = draw(cut)
    return " ".join([*head[: draw(cut)], *middle[start : start + draw(cut)], *tail[draw(cut) :]])


def assert_only_reads(sql: str) -> None:
    """Look at the returned text afresh, with a list of its own."""
    (statement,) = sqlglot.parse(sql, dialect="postgres")
    assert isinstance(statement, exp.Query)
    ctes = {cte.alias for cte in statement.find_all(exp.CTE)}
    for node in statement.walk():
        assert not isinstance(node, NEVER), (type(node), sql)
        assert not node.comments
        if isinstance(node, exp.Identifier):
            assert node.args["quoted"]
        if isinstance(node, exp.Table):
            of_directory = node.db == "directory" and node.name in VIEWS
            assert of_directory or (not node.db and node.name in ctes), sql
            assert not node.catalog


def check_property(sql: str) -> None:
    try:
        once = check_sql(sql, views=VIEWS)
    except SqlRefused:
        return
    assert_only_reads(once)
    assert check_sql(once, views=VIEWS) == once


@settings(max_examples=300, deadline=None)
@given(mixed)
def test_mixtures_of_good_and_bad_parts_never_pass_as_more_than_a_read(sql: str) -> None:
    check_property(sql)


@settings(max_examples=300, deadline=None)
@given(spliced())
def test_pieces_of_attacks_and_queries_never_pass_as_more_than_a_read(sql: str) -> None:
    check_property(sql)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200).map("select name from sites where ".__add__) | st.text(max_size=200))
def test_any_text_is_refused_or_a_read(sql: str) -> None:
    check_property(sql)


@settings(max_examples=150, deadline=None)
@given(safe)
def test_what_is_made_of_allowed_parts_passes(sql: str) -> None:
    assert_only_reads(check_sql(sql, views=VIEWS))
