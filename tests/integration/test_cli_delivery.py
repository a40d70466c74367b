"""``muster delivery``: bounces and quarantine, what is sent again, and how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from services.cli.letters import opened
from services.delivery.domain.quarantine import Failure
from services.delivery.quarantining import note_failures
from services.delivery.settings import DeliverySettings
from shared.ids import new_id, recipient_key
from tests.instances import SECRET
from tests.integration.cli_shell import Shell, shell
from tests.integration.delivery_harness import Case, approved, member, sending, work_off
from tests.servers import Servers
from topics.delivery import Channel
from topics.operators import OperatorState, Role

WHO = ("--operator", "ops@example.org")
ADDRESS = "gone@x.example"


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with shell(servers, tmp_path_factory.mktemp("cli")) as made:
        made.does("migrate")
        said = made.does("operator", "add", "Olga", "ops@example.org", "--role", "manager")
        asyncio.run(prepared(made, UUID(said.split()[-1])))
        yield made


async def prepared(cli: Shell, operator_id: UUID) -> None:
    """Do what the services would have done: know the operator, count two refusals."""
    settings = cli.instance.settings(DeliverySettings)
    async with opened("delivery", settings) as delivery:
        await delivery.execute(
            OperatorState(operator_id=operator_id, version=9, name="O", roles=(Role.MANAGER,))
        )
        async with delivery.uow.begin() as work:
            await note_failures(
                work,
                [
                    Failure(
                        run_id=new_id(),
                        member_id=uuid4(),
                        recipient_key=recipient_key(SECRET.encode(), "email", ADDRESS),
                        channel=Channel.EMAIL,
                        code=code,
                        at=work.now,
                    )
                    for code in ("550 5.1.1", "550")
                ],
            )


def test_a_text_that_no_rule_knows_is_listed_and_qualified(cli: Shell) -> None:
    assert "1 User unknown" in cli.does("delivery", "bounces", "list", "--status", "keep")
    said = cli.does("delivery", "bounces", "list", "--status", "to_qualify")
    assert "15 Unqualified" in said
    text_id = cli.sql("SELECT text_id FROM delivery.bounce_messages WHERE text = '550'")[0][
        "text_id"
    ]
    qualify = ("delivery", "bounces", "qualify", str(text_id), *WHO)
    assert "13 is none of" in cli.refuses(*qualify, "--reason", "13", "--type", "soft")
    assert "Mailbox full is soft" in cli.refuses(*qualify, "--reason", "5", "--type", "hard")
    nobody = ("--operator", "no@example.org", "--reason", "5", "--type", "soft")
    assert "there is no operator" in cli.refuses(*qualify[:4], *nobody)
    assert "means: 20 Refused, soft" in cli.does(*qualify, "--reason", "20", "--type", "soft")
    assert "20 Refused" in cli.does("delivery", "bounces", "list")


def test_a_quarantined_address_is_listed_by_its_key_and_released_by_its_name(cli: Shell) -> None:
    said = cli.does("delivery", "quarantine", "list")
    assert recipient_key(SECRET.encode(), "email", ADDRESS) in said
    assert ADDRESS not in said
    release = ("delivery", "quarantine", "release", ADDRESS.upper(), "--reason", "a typo", *WHO)
    assert "released" in cli.does(*release)
    assert "neither quarantined nor denylisted" in cli.refuses(*release)
    assert "no address is quarantined" in cli.does("delivery", "quarantine", "list")


@pytest.fixture(scope="module")
def under_way(cli: Shell) -> Case:
    """A campaign whose run has started, while no sender runs."""
    case = Case([member("ada@x.example")])

    async def start() -> None:
        settings = cli.instance.settings(DeliverySettings)
        async with opened("delivery", settings) as delivery:
            await delivery.engine.register()
            async with sending(delivery):
                await approved(delivery, case)
            await delivery.execute(case.start())
            await work_off(delivery)

    asyncio.run(start())
    return case


def test_a_campaigns_pace_is_limited_and_the_limit_is_lifted(cli: Shell, under_way: Case) -> None:
    words = ("delivery", "pace", str(under_way.campaign_id), *WHO)
    run = "SELECT rate_per_minute AS rate FROM delivery.runs WHERE run_id = $1"
    assert "30 messages a minute at most" in cli.does(*words, "--rate", "30")
    assert cli.sql(run, under_way.run_id) == [{"rate": 30}]
    assert "no limit" in cli.does(*words)
    assert cli.sql(run, under_way.run_id) == [{"rate": None}]
    assert "--rate" in cli.refuses(*words, "--rate", "0")
    nobody = ("--operator", "no@example.org")
    assert "there is no operator" in cli.refuses(*words[:3], *nobody)
    elsewhere = ("delivery", "pace", str(uuid4()), *WHO)
    assert "nothing of this campaign is under way" in cli.refuses(*elsewhere, "--rate", "30")


def test_a_run_is_sent_again_once_at_a_time(cli: Shell, under_way: Case) -> None:
    words = ("delivery", "again", str(under_way.run_id), *WHO)
    assert "none" in cli.refuses(*words, "--scope", "none")
    assert "deliveryMgt puts them into the queue" in cli.does(*words, "--scope", "missed")
    run = "SELECT again_scope AS scope FROM delivery.runs WHERE run_id = $1"
    assert cli.sql(run, under_way.run_id) == [{"scope": "missed"}]
    assert "being sent again already" in cli.refuses(*words)
    assert "there is no run" in cli.refuses("delivery", "again", str(uuid4()), *WHO)


def test_a_domain_is_limited_warmed_up_and_freed(cli: Shell) -> None:
    domains = ("delivery", "domains")
    assert "no domain is limited" in cli.does(*domains, "list")
    limit = (*domains, "limit", " Slow.Example")
    assert "slow.example is limited" in cli.does(*limit, "--per-minute", "60")
    ramp = ("--warmup-from", "2026-12-01", "--warmup-start", "50", "--warmup-factor", "1.5")
    assert "slow.example is limited" in cli.does(*limit, "--per-minute", "40", *ramp)
    [line] = [one for one in cli.does(*domains, "list").splitlines() if "slow.example" in one]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        *("slow.example", "40", "2026-12-01", "50"),
        "1.5",
    ]
    assert "come together" in cli.refuses(*limit, "--warmup-from", "2026-12-01")
    assert "give --per-minute" in cli.refuses(*limit)
    assert "no limit any more" in cli.does(*domains, "free", "SLOW.example")
    assert "has no limit" in cli.refuses(*domains, "free", "slow.example")
