"""The world the fault tests live in: a small CRM, what campaigns choose from, running services."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid4

from services.cli.letters import opened
from services.targeting.imports import Kind, import_csv
from shared.ids import new_id
from tests.driving import MANAGER, REVIEWER, Rig, Worker, rig
from tests.faults.mails import Sink
from tests.faults.nursery import nursery
from tests.instances import fresh_instance
from tests.servers import Servers
from tests.waiting import eventually
from topics.actions import Filing, ModelKind, SaveActionModel
from topics.budget import CostDriver, CostStructure, Formula, SaveBudget
from topics.campaign import CampaignPlan
from topics.delivery import SaveTemplate
from topics.events import RouteEventType
from topics.message import Actor, Message, Via, system_actor
from topics.stock import SaveStockLine
from topics.supplier import SaveService
from topics.targeting import Counts, Criterion, Operator, SaveTargeting

SPINE: Final = (
    "campaign",
    "targeting",
    "actions",
    "delivery",
    "supplier",
    "budget",
    "stock",
    "events_status",
)
SITES, WITH_EMAIL, DOUBLES, OPTED_OUT, WITHOUT_EMAIL = 6, 14, 2, 1, 3
MEMBERS: Final = WITH_EMAIL + DOUBLES + OPTED_OUT + WITHOUT_EMAIL
BROCHURES_PER_LETTER: Final = 2
EMAIL_COST_MINOR, LETTER_COST_MINOR, SITE_COST_MINOR = 2, 100, 50
STOCK: Final = 1_000_000
FROM_ADDRESS: Final = "offers@muster.example"
manager = Actor(id=str(MANAGER), via=Via.WEB)
reviewer = Actor(id=str(REVIEWER), via=Via.WEB)
COLUMNS: Final = {
    Kind.SITES: "site_ref,name,street,postal_code,town,country,phone,language,segment,headcount",
    Kind.CONTACTS: "contact_ref,site_ref,first_name,last_name,job_title,email,direct_line,mobile,"
    "language,email_consent",
}


@dataclass(frozen=True, slots=True)
class Props:
    """What campaigns choose from, by id."""

    targeting_id: UUID = field(default_factory=uuid4)
    template_id: UUID = field(default_factory=uuid4)
    order_template_id: UUID = field(default_factory=uuid4)
    model_id: UUID = field(default_factory=uuid4)
    budget_id: UUID = field(default_factory=uuid4)
    stock_line_id: UUID = field(default_factory=uuid4)
    service_id: UUID = field(default_factory=uuid4)


@dataclass
class World:
    """A rig with its props, and the sink that its mails end in."""

    rig: Rig
    servers: Servers
    sink: Sink
    props: Props = field(default_factory=Props)

    @property
    def domain(self) -> str:
        """The mail domain of this world alone; other tests use the same catcher."""
        return f"{self.rig.settings.kafka_namespace.rstrip('.')}.example"

    @property
    def hits(self) -> Path:
        """Where child processes write which fault hit what."""
        return self.rig.folder / "hits"

    def plan(self, label: str = "Autumn", *, letters: bool = True) -> CampaignPlan:
        """Return a campaign over all props; without letters, of e-mails and actions alone."""
        props = self.props
        return CampaignPlan(
            label=label,
            targeting_id=props.targeting_id,
            template_id=props.template_id,
            action_model_ids=(props.model_id,),
            budget_id=props.budget_id,
            reviewer_ids=(REVIEWER,),
            supplier_service_id=props.service_id if letters else None,
            stock_line_id=props.stock_line_id if letters else None,
            stock_quantity_per_letter=BROCHURES_PER_LETTER if letters else None,
        )

    def start(self, name: str, *, replica: int = 1, **environment: Any) -> Worker:
        """Start a service with the settings that all processes of this world have."""
        quick = {
            "SENDER_LEASE_SECONDS": "3",
            "SENDER_RETRY_BASE_SECONDS": "0.2",
            "SUPPLIER_LEASE_SECONDS": "10",
            "SMTP_TIMEOUT_SECONDS": "5",
            "MUSTER_TEST_HITS": str(self.hits),
        }
        return self.rig.start(name, replica=replica, **(quick | environment))


@asynccontextmanager
async def world(
    servers: Servers,
    folder: Path,
    *,
    services: Sequence[str] = SPINE,
    variables: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> AsyncIterator[World]:
    """Yield a world with its services running and its props saved.

    ``variables`` is what a service gets besides, by its name.
    """
    async with (
        fresh_instance(servers) as instance,
        nursery() as spawn,
        rig(instance, folder, services=services, spawn=spawn) as made,
    ):
        sink = Sink(servers.mail_url, f"@{instance.namespace.rstrip('.')}.example")
        await sink.begin()
        found = World(made, servers, sink)
        for name in services:
            found.start(name, **variables.get(name, {}))
        await made.ready(*services)
        await _operators_known(made, services)
        await _import_crm(found, folder)
        await made.send(*props_of(found, services))
        await eventually(lambda: _all_saved(found, services), what="the props")
        yield found


async def _operators_known(made: Rig, services: Sequence[str]) -> None:
    async def known() -> bool:
        counts = [await made.value(f"SELECT count(*) FROM {one}.operators") for one in services]
        return all(count >= 3 for count in counts)

    await eventually(known, what="the operators")


async def _import_crm(found: World, folder: Path) -> None:
    sites = [
        [f"S-{n}", f"Site {n}", "1 rue A", "31000", "Toulouse", "FR", "", "en", "test", "5"]
        for n in range(SITES)
    ]
    async with opened("targeting", found.rig.settings) as targeting:
        for kind, rows in ((Kind.SITES, sites), (Kind.CONTACTS, _contacts(found.domain))):
            path = folder / f"{kind}.csv"
            _write_csv(path, COLUMNS[kind], rows)
            report = await import_csv(targeting.uow, kind, path, None, system_actor("targeting"))
            assert report.created == len(rows), report


def _write_csv(path: Path, header: str, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)


def _contacts(domain: str) -> list[list[str]]:
    addresses = [f"c{n}@{domain}" for n in range(WITH_EMAIL)]
    emails = [*addresses, *addresses[:DOUBLES], *[f"out@{domain}"], *[""] * WITHOUT_EMAIL]
    return [_contact(number, email) for number, email in enumerate(emails)]


def _contact(number: int, email: str) -> list[str]:
    consent = "no" if email.startswith("out@") else "yes"
    site = f"S-{number % SITES}"
    return [f"C-{number}", site, "Ada", f"Byron {number}", "", email, "", "", "en", consent]


def props_of(found: World, services: Sequence[str]) -> list[Message]:
    """Return the commands that save the props, of the services given."""
    by_owner: dict[str, list[Message]] = {
        "targeting": _target(found.props),
        "delivery": _templates(found),
        "actions": _models(found.props),
        "budget": _budget(found.props),
        "stock": _stock(found.props),
        "supplier": _supplier(found),
        "events_status": [
            RouteEventType(
                event_type="order.confirmed",
                template_id=found.props.order_template_id,
                actor=manager,
            )
        ],
    }
    return [message for name in services for message in by_owner.get(name, [])]


def _target(props: Props) -> list[Message]:
    return [
        SaveTargeting(
            targeting_id=props.targeting_id,
            actor=manager,
            label="Everybody",
            counts=Counts.CONTACTS,
            criteria=(Criterion(field="site.country", operator=Operator.EQUALS, values=("FR",)),),
        )
    ]


def _templates(found: World) -> list[Message]:
    return [
        SaveTemplate(
            template_id=template_id,
            actor=manager,
            label=subject,
            subject=subject,
            body=f"<p>{body}</p>",
            text=body,
            from_address=FROM_ADDRESS,
            proof_recipients=(f"reviewer@{found.domain}",),
        )
        for template_id, subject, body in (
            (found.props.template_id, "Offer", "Good day {{ contact.first_name }}"),
            (found.props.order_template_id, "Order", "Order {{ ctx.order }}"),
        )
    ]


def _models(props: Props) -> list[Message]:
    return [
        SaveActionModel(
            model_id=props.model_id,
            actor=manager,
            code="CALL",
            label="Call",
            kind=ModelKind.ACTION_ON_SITE,
            filing=Filing.PER_CONTACT,
        )
    ]


def _budget(props: Props) -> list[Message]:
    prices = (
        (CostDriver.EMAILS, EMAIL_COST_MINOR),
        (CostDriver.LETTERS, LETTER_COST_MINOR),
        (CostDriver.ORGANISATIONS, SITE_COST_MINOR),
    )
    return [
        SaveBudget(
            budget_id=props.budget_id,
            actor=manager,
            label="Tests",
            allocated_minor=100_000_000,
            structures=tuple(
                CostStructure(
                    structure_id=new_id(),
                    category=driver,
                    label=driver,
                    formula=Formula.LINEAR,
                    driver=driver,
                    unit_price=Decimal(price) / 100,
                )
                for driver, price in prices
            ),
        )
    ]


def _stock(props: Props) -> list[Message]:
    return [
        SaveStockLine(
            line_id=props.stock_line_id,
            actor=manager,
            stock="Room",
            label="Brochure",
            initial=STOCK,
        )
    ]


def _supplier(found: World) -> list[Message]:
    return [
        SaveService(
            service_id=found.props.service_id,
            actor=manager,
            supplier="Printer",
            label="Letters",
            router_address=f"router@{found.domain}",
            file_pattern="{number}-{run}.csv",
        )
    ]


async def _all_saved(found: World, services: Sequence[str]) -> bool:
    tables = {
        "targeting": "targeting.targetings",
        "delivery": "delivery.templates",
        "actions": "actions.models",
        "budget": "budget.budgets",
        "stock": "stock.stock_lines",
        "supplier": "supplier.services",
        "events_status": "events_status.routes",
    }
    counts = [
        await found.rig.value(f"SELECT count(*) FROM {tables[name]}")
        for name in services
        if name in tables
    ]
    return all(counts)
