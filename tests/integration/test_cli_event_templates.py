"""``muster events template``: an event type's template from its draft to a version and away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from uuid import UUID

import pytest

from services.cli.letters import opened
from services.delivery.settings import DeliverySettings
from services.events_status.settings import EventsStatusSettings
from tests.integration.cli_shell import Shell, shell
from tests.integration.delivery_harness import Case
from tests.integration.delivery_harness import actor as actor_named
from tests.servers import Servers
from topics.delivery import Seed, TemplateState
from topics.operators import OperatorState, Role

WHO = ("--operator", "ops@example.org")
KIND = "order.confirmed"


class Author:
    """Saves a template in the delivery, and tells Message Center of it as Kafka would."""

    def __init__(self, cli: Shell, operator_id: UUID) -> None:
        self._instance = cli.instance
        self._operator = operator_id
        self._case = Case([])

    async def _save(self, subject: str) -> None:
        operator = OperatorState(
            operator_id=self._operator, version=9, name="Olga", roles=(Role.MANAGER,)
        )
        async with opened("delivery", self._instance.settings(DeliverySettings)) as delivery:
            await delivery.execute(operator)
            emitted = await delivery.execute(
                self._case.template(
                    label="Order confirmed",
                    subject=subject,
                    body="<p>{{ ctx.total }}</p>",
                    seeds=(Seed(address="qa@x.example"),),
                    actor=actor_named(self._operator),
                )
            )
        settings = self._instance.settings(EventsStatusSettings)
        async with opened("events_status", settings) as events:
            await events.execute(operator)
            for one in emitted:
                if isinstance(one, TemplateState):
                    await events.execute(one)

    def saves(self, subject: str) -> None:
        asyncio.run(self._save(subject))


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        yield made


@pytest.fixture(scope="module")
def author(cli: Shell) -> Author:
    said = cli.does("operator", "add", "Olga", "ops@example.org", "--role", "manager")
    return Author(cli, UUID(said.split()[-1]))


def test_an_event_template_goes_its_whole_way_by_commands(cli: Shell, author: Author) -> None:
    template = ("events", "template")
    assert "there is no event template" in cli.does("events", "templates")
    author.saves("Order {{ ctx.order }}")
    linked = cli.does(*template, "link", KIND, "Order confirmed", *WHO)
    assert f"{KIND} by email: draft Order confirmed" in linked
    assert "published: no" in linked
    assert "version 1 of Order confirmed" in cli.does(*template, "publish", KIND, *WHO)
    author.saves("Your order {{ ctx.order }}")
    assert "changed since" in cli.does("events", "templates")
    seen = json.loads(cli.does(*template, "show", KIND, "--json"))
    old = seen["versions"][0]["content"]["content_hash"]
    stale = cli.refuses(*template, "publish", KIND, "--content-hash", old, *WHO)
    assert "content_hash: is not the draft's content any more" in stale
    assert "version 2" in cli.does(*template, "publish", KIND, *WHO)
    assert "unpublish it first" in cli.refuses(*template, "delete", KIND, *WHO)
    assert "published: no" in cli.does(*template, "unpublish", KIND, *WHO)
    assert "is not published" in cli.refuses(*template, "unpublish", KIND, *WHO)
    assert "deleted" in cli.does(*template, "delete", KIND, *WHO)
    assert "there is no event template" in cli.refuses(*template, "show", KIND)
    refused = cli.refuses(*template, "publish", KIND, "--content-hash", "x", *WHO)
    assert "content_hash" in refused
    assert "event_type" in cli.refuses(*template, "link", "x" * 201, "Order confirmed", *WHO)


def test_a_sample_is_shown_and_sent_to_seeds_as_draft_or_as_a_version(
    cli: Shell, author: Author
) -> None:
    template = ("events", "template")
    author.saves("Old {{ ctx.order }}")
    cli.does(*template, "link", "sampled", "Order confirmed", "--publish", *WHO)
    author.saves("New {{ ctx.order }}")
    ctx = cli.folder / "ctx.xml"
    ctx.write_text("<ctx><order>A-7</order><total>9.90</total></ctx>")
    sample = ("sampled", "--ctx", str(ctx))
    shown = cli.does(*template, "preview", *sample)
    assert shown.split() == ["New", "A-7", "9.90"]
    assert "Old A-7" in cli.does(*template, "preview", *sample, "--version", "1")
    assert "<p>9.90</p>" in cli.does(*template, "preview", *sample, "--html")
    assert "there is no version 7" in cli.refuses(*template, "preview", *sample, "--version", "7")
    assert "goes to 1 seeds" in cli.does(*template, "test", *sample, "--version", "1", *WHO)
    [row] = cli.sql(
        "SELECT l.address, r.kind FROM delivery.ledger l JOIN delivery.runs r USING (run_id)"
    )
    assert row == {"address": "qa@x.example", "kind": "test"}
    ctx.write_text('{"order": "A-7"}')
    lacking = cli.refuses(*template, "preview", *sample)
    assert "body: has no value for total" in lacking
    ctx.write_text("{")
    assert "ctx.xml" in cli.refuses(*template, "preview", *sample)
