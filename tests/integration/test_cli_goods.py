"""``muster supplier`` and ``muster stock``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from services.cli.letters import opened
from services.stock.settings import StockSettings
from services.supplier.settings import SupplierSettings
from tests.integration.cli_shell import Shell, shell
from tests.integration.supplier_story import Story, a_row
from tests.servers import Servers
from topics.operators import OperatorState, Role
from topics.supplier import Ending

WHO = ("--operator", "ops@example.org")


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        said = made.does("operator", "add", "Olga", "ops@example.org", "--role", "manager")
        asyncio.run(prepared(made, UUID(said.split()[-1])))
        yield made


async def prepared(cli: Shell, operator_id: UUID) -> None:
    """Do what the services would have done: know the operator."""
    state = OperatorState(operator_id=operator_id, version=9, name="O", roles=(Role.MANAGER,))
    for name, kind in (("supplier", SupplierSettings), ("stock", StockSettings)):
        async with opened(name, cli.instance.settings(kind)) as runtime:
            await runtime.execute(state)
            await runtime.engine.register()


async def a_file(cli: Shell) -> tuple[UUID, UUID]:
    """Make a file whose rows are complete, of a service that ends by results; return their ids."""
    async with opened("supplier", cli.instance.settings(SupplierSettings)) as runtime:
        story = Story(runtime)
        await story.prepare(ending=Ending.RESULTS, columns=("reference", "recipient"))
        for chunk in story.chunks([a_row(1), a_row(2)]):
            await runtime.execute(chunk)
        file_id: UUID = (await story.job())["file_id"]
        return file_id, story.campaign_id


def test_suppliers_and_services_are_saved_from_files_and_listed(cli: Shell) -> None:
    assert "no suppliers" in cli.does("supplier", "list")
    path = cli.folder / "supplier.json"
    path.write_text(json.dumps({"name": "Morel", "contacts": [{"name": "Anne"}]}))
    supplier_id = cli.does("supplier", "keep", str(path), *WHO).split()[0]
    assert "Anne" in cli.does("supplier", "list")
    service = {
        "supplier": "Morel",
        "label": "Letters",
        "router_address": "router@morel.example",
        "supplier_id": supplier_id,
        "layout": {"format": "xlsx"},
    }
    path.write_text(json.dumps(service))
    assert "file_pattern" in cli.refuses("supplier", "save", str(path), *WHO)
    path.write_text(json.dumps(service | {"file_pattern": "{number}.xlsx"}))
    cli.does("supplier", "save", str(path), *WHO)
    assert "xlsx" in cli.does("supplier", "services")
    path.write_text("{}")
    assert "router_address" in cli.refuses("supplier", "save", str(path), *WHO)


def test_files_are_listed_and_shown_and_what_cannot_be_done_says_why(cli: Shell) -> None:
    file_id, campaign_id = asyncio.run(a_file(cli))
    said = cli.does("supplier", "jobs", "--campaign", str(campaign_id))
    assert "rows_complete" in said
    page = json.loads(cli.does("supplier", "jobs", "--json"))
    assert [job["file_id"] for job in page["jobs"]] == [str(file_id)]
    assert "C-1042" in cli.does("supplier", "show", str(file_id))
    assert "no extraction file" in cli.refuses("supplier", "show", str(uuid4()))
    results = cli.folder / "results.csv"
    results.write_text("reference,status\n1,sent\n")
    said = cli.refuses("supplier", "results", str(file_id), str(results), *WHO)
    assert "nothing to report" in said
    assert "takes a decision" in cli.refuses("supplier", "decide", str(file_id), "sent", *WHO)
    asked = ("supplier", "answer", str(file_id), "approve", "--sha256", "ab" * 32, *WHO)
    assert "nobody is asked" in cli.refuses(*asked)
    assert "nothing to download" in cli.refuses(
        "supplier", "fetch", str(file_id), str(cli.folder / "file.csv"), *WHO
    )
    assert cli.does("supplier", "imports", str(file_id)) == ""


def test_stock_lines_are_saved_ordered_and_listed(cli: Shell) -> None:
    assert "no stock lines" in cli.does("stock", "list")
    saved = ("stock", "save", "Envelopes", "--stock", "Paper", "--initial", "10", *WHO)
    cli.does(*saved, "--alert-level", "3", "--group", "purchasing")
    assert "Envelopes" in cli.does("stock", "list")
    assert "no stock lines" in cli.does("stock", "list", "--alert")
    said = cli.does("stock", "order", "Envelopes", "5", "--due", "2020-01-01", *WHO, "--json")
    assert json.loads(said)["on_order"] == 5
    assert "initial" in cli.does("stock", "ledger", "Envelopes")
    assert "no goods" in cli.does("stock", "campaign", str(uuid4()))
    assert "there is no stock" in cli.refuses("stock", "show", "Cards")
