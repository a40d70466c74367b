"""The reasons that services refuse with, read from their source as templates."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVICES: Final = Path(__file__).parent.parent.parent.parent / "services"
REFUSALS: Final = {"Refused", "SqlRefused", "Problem", "refuse_node", "_Wrong"}
DEEPEST: Final = 4


class Reasons:
    """What some services may answer instead of doing what was asked; ``{}`` stands for a value.

    A reason is followed to the constant, the variable or the function that it comes from.
    """

    def __init__(self, *services: str) -> None:
        paths = [path for name in services for path in sorted((SERVICES / name).rglob("*.py"))]
        self._trees = [ast.parse(path.read_text()) for path in paths]
        self._values: dict[str, list[ast.expr]] = defaultdict(list)
        for tree in self._trees:
            for node in ast.walk(tree):
                self._keep(node)

    def _keep(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self._values[target.id].append(node.value)
        if isinstance(node, ast.FunctionDef):
            returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
            self._values[node.name] += [value for value in returned if value is not None]

    def found(self) -> set[str]:
        """Return the templates of all reasons."""
        calls = [n for tree in self._trees for n in ast.walk(tree) if isinstance(n, ast.Call)]
        given = [value for call in calls for value in _given(call)]
        return {text for value in given for text in self._texts(value, DEEPEST) if " " in text}

    def _texts(self, value: ast.expr, depth: int) -> Iterator[str]:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
        elif isinstance(value, ast.JoinedStr):
            yield "".join(_part(one) for one in value.values)
        elif isinstance(value, ast.IfExp):
            yield from self._texts(value.body, depth)
            yield from self._texts(value.orelse, depth)
        elif depth and isinstance(value, ast.Name):
            yield from self._those(value.id, depth)
        elif depth and isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            yield from self._those(value.func.id, depth)

    def _those(self, name: str, depth: int) -> Iterator[str]:
        for value in self._values[name]:
            yield from self._texts(value, depth - 1)


def _given(call: ast.Call) -> Iterator[ast.expr]:
    """Yield what a call gives as a reason."""
    called = call.func.id if isinstance(call.func, ast.Name) else ""
    if called in REFUSALS and call.args:
        yield call.args[0]
    if called.startswith("_refus"):
        yield from call.args
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "reason")


def _part(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else "{}"
