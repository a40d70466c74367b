"""Migrations: once each, never edited, and each role sees its own schema only."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from services.cli.catalogue import migration_folders
from shared.migrations import MigrationError, Phase, migrate
from shared.settings import role_url
from tests.instances import Instance

_SHAPE = """
SELECT 'column' AS kind, table_schema, table_name, column_name,
       concat_ws(' ', data_type, is_nullable, column_default) AS what
FROM information_schema.columns WHERE table_schema = ANY ($1::text[])
UNION ALL
SELECT 'index', schemaname, tablename, indexname, indexdef FROM pg_indexes
WHERE schemaname = ANY ($1::text[])
UNION ALL
SELECT 'constraint', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1::text[])
ORDER BY 1, 2, 3, 4
"""


def folder(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, sql in files.items():
        number, _, words = name.partition("_")
        stem, _, phase = words.rpartition("_")
        (path / f"{number.removeprefix('m')}_{stem}.{phase}.sql").write_text(sql)
    return path


async def shape(instance: Instance, schemas: list[str]) -> list[tuple[object, ...]]:
    owner = await asyncpg.connect(instance.database_url)
    try:
        rows = await owner.fetch(_SHAPE, schemas)
        history = "', '".join(schemas)
        assert rows, f"nothing was made in '{history}'"
        return [tuple(row) for row in rows]
    finally:
        await owner.close()


async def test_a_second_run_applies_nothing(instance: Instance) -> None:
    folders = migration_folders()
    first = await migrate(instance.settings(), folders)
    assert len([line for line in first if "core/0001_core" in line]) == len(folders)
    before = await shape(instance, list(folders))
    assert await migrate(instance.settings(), folders) == []
    assert await shape(instance, list(folders)) == before


async def test_before_and_after_the_new_code_together_make_the_schema_made_at_once(
    instance: Instance,
) -> None:
    folders = migration_folders()
    phases: tuple[Phase, ...] = ("pre", "post")
    for phase in phases:
        await migrate(instance.settings(), folders, phases=(phase,))
    apart = await shape(instance, list(folders))
    owner = await asyncpg.connect(instance.database_url)
    for name in folders:
        await owner.execute(f"DROP SCHEMA {name} CASCADE")
    await owner.close()
    await migrate(instance.settings(), folders)
    assert await shape(instance, list(folders)) == apart


async def test_an_applied_file_that_was_edited_is_refused_by_name(
    instance: Instance, tmp_path: Path
) -> None:
    files = folder(tmp_path / "m", m0001_first_pre="CREATE TABLE a (x int);")
    assert await migrate(instance.settings(), {"stock": files}) == [
        "stock: core/0001_core.pre.sql",
        "stock: core/0002_instance.pre.sql",
        "stock: core/0003_workflows.pre.sql",
        "stock: core/0004_packed_outbox.pre.sql",
        "stock: core/0005_outbox_storage.pre.sql",
        "stock: stock/0001_first.pre.sql",
    ]
    folder(tmp_path / "m", m0001_first_pre="CREATE TABLE a (x bigint);")
    with pytest.raises(MigrationError, match=r"stock/0001_first\.pre\.sql was applied and edited"):
        await migrate(instance.settings(), {"stock": files})


async def test_a_failing_file_leaves_nothing_and_is_named(
    instance: Instance, tmp_path: Path
) -> None:
    files = folder(tmp_path / "m", m0001_half_pre="CREATE TABLE a (x int); CREATE TABLE b (y no);")
    with pytest.raises(MigrationError, match=r"stock: stock/0001_half\.pre\.sql: type \"no\""):
        await migrate(instance.settings(), {"stock": files})
    folder(tmp_path / "m", m0001_half_pre="CREATE TABLE a (x int); CREATE TABLE b (y int);")
    assert await migrate(instance.settings(), {"stock": files}) == [
        "stock: stock/0001_half.pre.sql"
    ]


async def test_a_file_without_a_phase_is_refused(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match=r"name it NNNN_words\.pre\.sql"):
        await migrate(instance.settings(), {"stock": tmp_path})


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM budget.outbox",
        "INSERT INTO budget.outbox (topic, headers, value) VALUES ('x', '', '')",
        "SELECT nextval('budget.outbox_seq')",
        "CREATE TABLE stock.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "ALTER TABLE stock.outbox ADD COLUMN x int",
        "UPDATE stock.schema_migrations SET sha256 = ''",
        "SET ROLE {name}_budget",
        "CREATE ROLE other",
    ],
)
async def test_a_services_role_reaches_its_own_rows_and_changes_no_table(
    instance: Instance, statement: str
) -> None:
    folders = {name: migration_folders()[name] for name in ("stock", "budget")}
    await migrate(instance.settings(), folders)
    connection = await asyncpg.connect(role_url(instance.settings(), "stock"))
    try:
        assert await connection.fetchval("SELECT count(*) FROM stock.outbox") == 0
        name = instance.database_url.rpartition("/")[2]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(name=name))
    finally:
        await connection.close()


def test_every_file_bounds_its_wait_for_locks() -> None:
    for files in migration_folders().values():
        for path in files.glob("*.sql"):
            assert path.read_text().lstrip().startswith(("SET LOCAL lock_timeout", "--")), path
            assert "SET LOCAL lock_timeout = '5s';" in path.read_text(), path
