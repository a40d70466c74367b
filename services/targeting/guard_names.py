"""Which tables and columns a statement names, and whether each is one it may read.

PostgreSQL reads ``t.f`` as the call ``f(t)`` when ``t`` is a row without a column ``f``, so every
column is looked up here and none is left for the server to interpret.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlglot import exp

from services.targeting.guard_grammar import SYSTEM_COLUMNS
from services.targeting.guard_refusal import refuse_node

SCHEMA: Final = "directory"

Columns = frozenset[str]
Sources = Mapping[str, Columns]
_SEES_ALIASES: Final = frozenset({"order", "group", "distinct"})


class Names:
    """Looks up the names of one statement and puts the schema before each view."""

    def __init__(self, views: Mapping[str, Columns]) -> None:
        self._views = views

    def resolve(self, query: exp.Query) -> None:
        """Check every table and column of ``query``; write ``directory`` before its views.

        Raises:
            SqlRefused: a table is not a view of the directory, or a column is not one of its own.
        """
        self._query(query, {}, ())

    def _query(self, query: exp.Query, ctes: Sources, outer: tuple[Sources, ...]) -> Columns:
        """Return the names of the columns that ``query`` gives out."""
        ctes = self._with(query, ctes, outer)
        if isinstance(query, exp.Select):
            return self._select(query, ctes, outer)
        if isinstance(query, exp.SetOperation):
            columns = self._inner(query.this, ctes, outer)
            self._inner(query.expression, ctes, outer)
        else:
            columns = self._inner(query.this, ctes, outer)
        for clause in ("order", "limit", "offset"):
            if part := query.args.get(clause):
                self._expressions(part, ctes, ({"": columns}, *outer))
        return columns

    def _inner(self, node: object, ctes: Sources, outer: tuple[Sources, ...]) -> Columns:
        if isinstance(node, exp.Table):
            raise refuse_node("Write a join without parentheses around its tables.", node)
        assert isinstance(node, exp.Query), "the parser puts queries into set operations"
        return self._query(node, ctes, outer)

    def _with(self, query: exp.Query, ctes: Sources, outer: tuple[Sources, ...]) -> Sources:
        known = dict(ctes)
        clause = query.args.get("with_")
        for cte in clause.expressions if clause else ():
            known[cte.alias] = self._inner(cte.this, known, outer)
        return known

    def _select(self, select: exp.Select, ctes: Sources, outer: tuple[Sources, ...]) -> Columns:
        sources = self._sources(select, ctes, outer)
        columns = frozenset[str]().union(*(_given(p, sources) for p in select.expressions))
        inside = {**sources, "": frozenset[str]().union(*sources.values())}
        sorting = {**inside, "": inside[""] | columns}
        for name, part in select.args.items():
            if name not in {"with_", "from_", "joins"}:
                scope = sorting if name in _SEES_ALIASES else inside
                self._parts(part, ctes, (scope, *outer))
        for join in select.args.get("joins") or ():
            self._parts(join.args.get("on"), ctes, (inside, *outer))
        return columns

    def _sources(self, select: exp.Select, ctes: Sources, outer: tuple[Sources, ...]) -> Sources:
        sources: dict[str, Columns] = {}
        for table in _tables(select):
            name = table.alias_or_name
            if not name:
                raise refuse_node("Give the subquery a name: (SELECT …) AS name.", table)
            if name in sources:
                raise refuse_node("Two tables have the same name: give one an alias.", table)
            sources[name] = (
                self._table(table, ctes)
                if isinstance(table, exp.Table)
                else self._query(table, ctes, outer)
            )
        return sources

    def _table(self, table: exp.Table, ctes: Sources) -> Columns:
        if not table.db and table.name in ctes:
            return ctes[table.name]
        if table.db not in {"", SCHEMA} or table.name not in self._views:
            known = ", ".join(sorted(self._views))
            raise refuse_node(f"This table cannot be read. The views are: {known}.", table)
        table.set("db", exp.to_identifier(SCHEMA, quoted=True))
        return self._views[table.name]

    def _parts(self, part: object, ctes: Sources, scopes: tuple[Sources, ...]) -> None:
        for node in part if isinstance(part, list) else [part]:
            if isinstance(node, exp.Expr):
                self._expressions(node, ctes, scopes)

    def _expressions(self, root: exp.Expr, ctes: Sources, scopes: tuple[Sources, ...]) -> None:
        todo = [root]
        while todo:
            node = todo.pop()
            if isinstance(node, exp.Query):
                self._query(node, ctes, scopes)
            elif isinstance(node, exp.Column):
                _check_column(node, scopes)
            elif isinstance(node, exp.Star):
                _check_star(node)
            else:
                todo.extend(node.iter_expressions())


def _tables(select: exp.Select) -> Iterator[exp.Table | exp.Subquery]:
    clause = select.args.get("from_")
    for holder in [clause, *(select.args.get("joins") or ())]:
        if holder is not None:
            if not isinstance(holder.this, exp.Table | exp.Subquery):
                raise refuse_node("A query reads from views and subqueries only.", holder)
            yield holder.this


def _given(projection: exp.Expr, sources: Sources) -> Columns:
    """Return what one item of the select list gives out; unnamed calls cannot be named later."""
    if isinstance(projection, exp.Star):
        return frozenset[str]().union(*sources.values())
    if projection.is_star and isinstance(projection, exp.Column):
        return sources.get(projection.table, frozenset())
    if isinstance(projection, exp.Column):
        return frozenset({projection.name})
    return frozenset({projection.alias} - {""})


def _check_column(column: exp.Column, scopes: tuple[Sources, ...]) -> None:
    if column.is_star:
        _check_row(column, scopes)
        return
    if column.name in SYSTEM_COLUMNS:
        raise refuse_node("System columns cannot be read.", column)
    for scope in scopes:
        if not column.table and column.name in scope.get("", ()):
            return
        if column.table and column.table in scope:
            if column.name in scope[column.table]:
                return
            break
    raise refuse_node(
        "This column is not in the tables that the query reads; name computed ones with AS.", column
    )


def _check_row(star: exp.Column, scopes: tuple[Sources, ...]) -> None:
    if not isinstance(star.parent, exp.Select) or star.table not in scopes[0]:
        raise refuse_node("name.* may stand in the select list only, for a table it reads.", star)


def _check_star(star: exp.Star) -> None:
    if not isinstance(star.parent, exp.Select | exp.Count):
        raise refuse_node("* may stand in the select list and in count(*) only.", star)
