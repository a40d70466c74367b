"""Only the unit of work opens transactions, and only the outbox's relay publishes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
PRODUCT: Final = ("bot", "services", "shared")

TRANSACTIONS: Final = frozenset({"transaction", "commit", "rollback"})
SENDING: Final = frozenset({"send", "send_and_wait", "send_batch", "create_batch"})
PRODUCERS: Final = frozenset({"producer", "plain_producer", "AIOKafkaProducer"})

# Each with the calls it may make, and why.
MAY_COMMIT: Final[dict[str, frozenset[str]]] = {
    "shared/uow.py": frozenset({"transaction"}),
    "shared/migrations.py": frozenset({"transaction"}),  # the schemas themselves
    "shared/relay.py": frozenset({"transaction"}),  # Kafka's, around a batch and before its mark
    "shared/consumer.py": frozenset({"commit"}),  # the offsets, after the unit of work
    "services/cli/replaying.py": frozenset({"commit"}),  # the offsets, of a group at rest
    "services/cli/backup.py": frozenset({"transaction"}),  # a restored instance, before its life
    "services/budget/workflows.py": frozenset({"commit"}),  # of funds held, not of a transaction
    "services/targeting/sql_role.py": frozenset({"transaction"}),  # the role, as the owner
    # Read-only, as the login role that may do nothing else: people's own SQL.
    "services/targeting/reading.py": frozenset({"transaction"}),
}
MAY_PRODUCE: Final[dict[str, frozenset[str]]] = {
    "shared/kafka.py": PRODUCERS,
    "shared/relay.py": frozenset({"producer"}),
    # Event intake: nothing of an event is kept in web, so there is no outbox to go through.
    "services/web/events/publishing.py": frozenset({"plain_producer"}),
}


def calls(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (receiver, method, line) of every call in a file; a plain function has no receiver."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield ast.unparse(node.func.value), node.func.attr, node.lineno
            elif isinstance(node.func, ast.Name):
                yield "", node.func.id, node.lineno


def sources() -> list[Path]:
    return sorted(path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))


def offending(path: Path, names: frozenset[str], allowed: dict[str, frozenset[str]]) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    wrong = names - allowed.get(name, frozenset())
    return [f"{name}:{line} {on}.{call}()" for on, call, line in calls(path) if call in wrong]


def test_only_the_unit_of_work_opens_transactions() -> None:
    found = [line for path in sources() for line in offending(path, TRANSACTIONS, MAY_COMMIT)]
    assert found == []


def test_only_the_relay_makes_a_producer() -> None:
    found = [line for path in sources() for line in offending(path, PRODUCERS, MAY_PRODUCE)]
    assert [line for line in found if "/demo/" not in line] == []


@pytest.mark.parametrize("name", ["send_batch", "send_and_wait", "create_batch"])
def test_records_leave_through_the_producer_module_only(name: str) -> None:
    found = [line for path in sources() for line in offending(path, frozenset({name}), {})]
    elsewhere = [
        line for line in found if not line.startswith(("shared/producer.py", "services/cli/demo/"))
    ]
    assert elsewhere == []


def statements(path: Path) -> Iterator[str]:
    """Yield the texts of a file that are a transaction statement by themselves."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.strip().rstrip(";").split(" ")
            if words[0] in {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT"} and node.value.isupper():
                yield f"{path.relative_to(ROOT).as_posix()} {node.value}"


def test_no_statement_begins_or_ends_a_transaction_by_hand() -> None:
    found = [line for path in sources() for line in statements(path)]
    # What people's own SQL began is rolled back before its connection is cleaned.
    assert set(found) <= {"services/targeting/reading.py ROLLBACK"}


def test_the_walk_sees_what_it_must_see(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "async def f(work):\n    async with work.connection.transaction():\n        pass\n"
    )
    assert [(on, call) for on, call, _ in calls(path)] == [("work.connection", "transaction")]
