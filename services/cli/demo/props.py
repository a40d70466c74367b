"""The demo's props: operators, the sample CRM, a target, a template, models, money, goods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from deploy.sample import CRM_DIR
from deploy.sample.generate import CONTACTS, write_crm
from services.cli.demo import mailing_props
from services.cli.demo.stage import Stage
from services.cli.letters import opened
from services.targeting.imports import ImportReport, Kind, import_csv
from services.web.operators import add_operator, find_operator
from shared.http import carry_out
from shared.ids import new_id
from topics.actions import Filing, ModelKind, SaveActionModel
from topics.budget import CostDriver, CostStructure, Formula, SaveBudget
from topics.delivery import SaveTemplate
from topics.events import RouteEventType
from topics.letters import LetterWindow
from topics.message import Actor, Message, Via
from topics.operators import Role
from topics.stock import SaveStockLine
from topics.supplier import SaveService
from topics.targeting import Counts, Criterion, Operator, SaveTargeting

PEOPLE: Final = (
    ("Camille Martin", "manager@muster.example", "U0MANAGER01", (Role.MANAGER,), "en"),
    ("Robin Clarke", "reviewer@muster.example", "U0REVIEWER1", (Role.REVIEWER,), "en"),
    ("Dominique Leroy", "supervisor@muster.example", "U0SUPERVIS1", (Role.SUPERVISOR,), "en"),
)
_FRANCE: Final = Criterion(field="site.country", operator=Operator.EQUALS, values=("FR",))
BUDGET: Final = "Autumn budget"
KINDS: Final = (Kind.SITES, Kind.CONTACTS, Kind.EMPLOYEES, Kind.DEALS)


def fixed(name: str) -> UUID:
    """Return an id that is the same in every run, so that a second run saves the same thing."""
    return uuid5(NAMESPACE_URL, f"muster:demo:{name}")


@dataclass(frozen=True, slots=True)
class Props:
    """What was prepared, by id; budget and stock are new in every run."""

    manager: Actor
    reviewer_id: str
    targeting_id: UUID
    town_targeting_id: UUID
    town: str
    template_id: UUID
    order_template_id: UUID
    call_model_id: UUID
    deal_model_id: UUID
    service_id: UUID
    budget_id: UUID
    stock_line_id: UUID
    budget_label: str
    stock_label: str
    mailing: mailing_props.Means


async def add_people() -> dict[str, UUID]:
    """Add the operators, linked to the workspace's members; return their ids by role."""
    found: dict[str, UUID] = {}
    async with opened("web") as web, web.uow.begin() as work:
        for name, email, slack_user_id, roles, language in PEOPLE:
            operator_id = await find_operator(work, email)
            if operator_id is None:
                operator_id = await add_operator(
                    work,
                    name=name,
                    email=email,
                    roles=roles,
                    slack_user_id=slack_user_id,
                    language=language,
                )
            found[roles[0]] = operator_id
    return found


def sample_of(contacts: int | None, folder: Path) -> Path:
    """Return the folder of the sample CRM: the shipped one, or one with so many contacts."""
    if contacts is None:
        return CRM_DIR
    write_crm(folder, contacts=contacts)
    return folder / "crm"


def times_of(contacts: int | None) -> int:
    """Return how many times the shipped sample the demo is, rounded up."""
    return -(-contacts // CONTACTS) if contacts else 1


async def import_crm(crm: Path, folder: Path, manager: Actor) -> AsyncIterator[ImportReport]:
    """Import the sample CRM, file by file; rejected rows land in files under ``folder``."""
    async with opened("targeting") as targeting:
        for kind in KINDS:
            yield await import_csv(
                targeting.uow, kind, crm / f"{kind}.csv", folder / f"{kind}.csv", manager
            )


async def prepare(stage: Stage, people: dict[str, UUID], *, town: str, times: int) -> Props:
    """Save what campaigns choose from; the commands travel over Kafka as anybody's would.

    ``town``: where the second campaign goes; ``times``: how many times the shipped sample it is.
    """
    run = await stage.value(
        "SELECT count(*) + 1 FROM budget.budgets WHERE label LIKE $1 || '%'", BUDGET
    )
    props = Props(
        manager=Actor(id=str(people[Role.MANAGER]), via=Via.CLI),
        reviewer_id=str(people[Role.REVIEWER]),
        targeting_id=fixed("targeting"),
        town_targeting_id=fixed("town"),
        town=town,
        template_id=fixed("template"),
        order_template_id=fixed("order"),
        call_model_id=fixed("call"),
        deal_model_id=fixed("deal"),
        service_id=fixed("service"),
        budget_id=new_id(),
        stock_line_id=new_id(),
        budget_label=f"{BUDGET} {run}",
        stock_label=f"Brochures, batch {run}",
        mailing=mailing_props.means(run, fixed("mailing")),
    )
    # Its service names it, and travels by another key: in this order over Kafka it might be first.
    async with opened("supplier") as supplier:
        await carry_out(supplier, mailing_props.supplier(props.mailing, props.manager))
    async with opened("web") as web, web.uow.begin() as work:
        for command in _commands(props, times):
            work.emit(command)
    return props


def _commands(props: Props, times: int) -> list[Message]:
    return [
        *_what_is_said(props),
        *_what_is_done(props),
        *_what_it_costs(props, times),
        *mailing_props.commands(props.mailing, props.manager, times=times),
    ]


def _what_is_said(props: Props) -> list[Message]:
    return [
        SaveTargeting(
            targeting_id=props.targeting_id,
            actor=props.manager,
            label="Contacts in France",
            counts=Counts.CONTACTS,
            criteria=(_FRANCE,),
        ),
        SaveTargeting(
            targeting_id=props.town_targeting_id,
            actor=props.manager,
            label=f"Contacts in {props.town}",
            counts=Counts.CONTACTS,
            criteria=(
                _FRANCE,
                Criterion(field="site.town", operator=Operator.EQUALS, values=(props.town,)),
            ),
        ),
        SaveTemplate(
            template_id=props.template_id,
            actor=props.manager,
            label="Autumn offer",
            subject="{{ contact.first_name }}, our autumn offer for {{ site.name }}",
            body=OFFER,
            mjml=True,
            from_name="Atelier Muster",
            from_address="offers@muster.example",
            proof_recipients=("reviewer@muster.example",),
            track_clicks=True,
            track_opens=True,
            mirror=True,
            letter=LETTER,
            letter_window=LetterWindow.NF_Z11_001,
        ),
        SaveTemplate(
            template_id=props.order_template_id,
            actor=props.manager,
            label="Order confirmed",
            subject="Your order {{ ctx.order }} is confirmed",
            body="<p>Thank you. Your order {{ ctx.order }} of {{ ctx.total }} is confirmed.</p>",
            from_name="Atelier Muster",
            from_address="orders@muster.example",
        ),
        RouteEventType(
            event_type="order.confirmed", template_id=props.order_template_id, actor=props.manager
        ),
    ]


def _what_is_done(props: Props) -> list[Message]:
    return [
        SaveActionModel(
            model_id=props.call_model_id,
            actor=props.manager,
            code="CALL",
            label="Call after the offer",
            kind=ModelKind.ACTION_ON_SITE,
            reason="Follow-up",
            subject="Autumn offer",
            sender="Camille Martin",
            recipient="Sales team",
            delay_days=7,
            filing=Filing.PER_CONTACT,
            item_type="outgoing mail",
        ),
        SaveActionModel(
            model_id=props.deal_model_id,
            actor=props.manager,
            code="DEAL",
            label="Autumn deal",
            kind=ModelKind.DEAL_ON_SITE,
            business_line="Maintenance",
            market="Industry",
            product="Autumn contract",
            delay_days=30,
        ),
        SaveService(
            service_id=props.service_id,
            actor=props.manager,
            supplier="Imprimerie Morel",
            label="Letters, printed and posted",
            router_address="router@imprimerie-morel.example",
        ),
    ]


def _what_it_costs(props: Props, times: int) -> list[Message]:
    def cost(
        name: str, formula: Formula, driver: CostDriver, amount_minor: int, price: str
    ) -> CostStructure:
        return CostStructure(
            structure_id=new_id(),
            category=name.split(",", maxsplit=1)[0],
            label=name,
            formula=formula,
            driver=driver,
            amount_minor=amount_minor,
            unit_price=Decimal(price),
        )

    return [
        SaveBudget(
            budget_id=props.budget_id,
            actor=props.manager,
            label=props.budget_label,
            allocated_minor=500_000 * times,
            currency="EUR",
            structures=(
                cost("Studio, brochure design", Formula.FIXED, CostDriver.NONE, 45_000, "0"),
                cost("E-mail, sending", Formula.LINEAR, CostDriver.EMAILS, 0, "0.012"),
                cost("Direct mail, print and post", Formula.LINEAR, CostDriver.LETTERS, 0, "0.98"),
                cost("Sales, calls", Formula.LINEAR, CostDriver.ORGANISATIONS, 0, "1.50"),
            ),
        ),
        SaveStockLine(
            line_id=props.stock_line_id,
            actor=props.manager,
            stock="Print room",
            label=props.stock_label,
            initial=200 * times,
            alert_level=150 * times,
            group="print",
        ),
    ]


LETTER: Final = """Dear #data.contact.name,

our *autumn offer* for #data.site.name is ready: the whole room, furnished and lit, delivered and
set up by our own people before the first of December.

Answer by return, or call us: we come to #data.site.town and measure.

With kind regards,

#v(12mm)
Camille Martin \\
Atelier Muster

#v(1fr)
#text(size: 8pt, fill: luma(90))[Our reference: #data.campaign.number]
"""
OFFER: Final = """\
<mjml>
  <mj-body background-color="#f4f1ea">
    <mj-section background-color="#ffffff" padding="24px">
      <mj-column>
        <mj-text font-size="22px" color="#23395d">Good day {{ contact.first_name }}</mj-text>
        <mj-text font-size="15px" line-height="1.5">
          This autumn we look after the machines of {{ site.name }} in {{ site.town }}
          at last year's price. Answer this mail and we will call you.
        </mj-text>
        <mj-button background-color="#23395d" href="https://offers.muster.example/autumn"
          >See the offer</mj-button>
      </mj-column>
    </mj-section>
    <mj-section padding="8px 24px">
      <mj-column>
        <mj-text font-size="12px" color="#5c6470" align="center">
          <a href="{{ mirror_url }}" style="color: #5c6470">Read this message in your browser</a>
        </mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""
