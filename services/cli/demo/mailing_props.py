"""The props of the direct-mail campaign: a printer, its service, a price list, envelopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid5

from shared.ids import new_id
from topics.budget import Band, CostDriver, CostStructure, Formula, SaveBudget
from topics.delivery import SaveTemplate
from topics.message import Actor, Message
from topics.stock import SaveStockLine
from topics.supplier import (
    Ending,
    FileEncoding,
    FileLayout,
    Handover,
    SaveService,
    SaveSupplier,
    Separator,
    SupplierContact,
)
from topics.targeting import Counts, Criterion, Operator, SaveTargeting

PRINTER: Final = "Imprimerie Vasseur"
FOLDER: Final = "vasseur"
"""The printer's folder under ``SUPPLIER_OUTBOX``."""
COLUMNS: Final = ("reference", "recipient", "site", "street", "postal_code", "town", "country")
QUOTED_MINOR: Final = 18_000
"""What the printer's offer says; typed by hand as the provisional cost."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the direct-mail campaign chooses, by id; budget and stock are new in every run."""

    targeting_id: UUID
    template_id: UUID
    supplier_id: UUID
    service_id: UUID
    budget_id: UUID
    stock_line_id: UUID
    run: int

    @property
    def budget_label(self) -> str:
        """What its budget is called."""
        return f"Direct mail budget {self.run}"

    @property
    def stock_label(self) -> str:
        """What its line of stock is called."""
        return f"Envelopes, batch {self.run}"


def means(run: int, names: UUID) -> Means:
    """Return the means of a run; what has no figures of its own is the same in each (``names``)."""
    return Means(
        targeting_id=uuid5(names, "by post"),
        template_id=uuid5(names, "open day"),
        supplier_id=uuid5(names, "printer"),
        service_id=uuid5(names, "printer's service"),
        budget_id=new_id(),
        stock_line_id=new_id(),
        run=run,
    )


def commands(made: Means, manager: Actor, *, times: int) -> Sequence[Message]:
    """Return what saves them; ``times``: how many times the shipped sample the demo is."""
    return [
        SaveTargeting(
            targeting_id=made.targeting_id,
            actor=manager,
            label="Contacts in France whom only letters reach",
            counts=Counts.CONTACTS,
            criteria=(
                Criterion(field="site.country", operator=Operator.EQUALS, values=("FR",)),
                Criterion(field="contact.email", operator=Operator.IS_EMPTY),
            ),
        ),
        SaveTemplate(
            template_id=made.template_id,
            actor=manager,
            label="Invitation card",
            subject="An invitation to our open day",
            body="<p>Atelier Muster invites {{ site.name }} to its open day.</p>",
            from_name="Atelier Muster",
            from_address="invitations@muster.example",
            proof_recipients=("reviewer@muster.example",),
        ),
        _service(made, manager),
        _budget(made, manager, times),
        SaveStockLine(
            line_id=made.stock_line_id,
            actor=manager,
            stock="Print room",
            label=made.stock_label,
            initial=500 * times,
            alert_level=100,
            group="print",
        ),
    ]


def supplier(made: Means, manager: Actor) -> SaveSupplier:
    """Return what saves the printer; its service is saved once that is known."""
    return SaveSupplier(
        supplier_id=made.supplier_id,
        actor=manager,
        name=PRINTER,
        contacts=(
            SupplierContact(
                name="Louise Vasseur",
                role="sales",
                email="louise@imprimerie-vasseur.example",
                notified=True,
            ),
        ),
    )


def _service(made: Means, manager: Actor) -> SaveService:
    """Return a service with everything a printer may ask for, and be asked for."""
    return SaveService(
        service_id=made.service_id,
        actor=manager,
        supplier=PRINTER,
        supplier_id=made.supplier_id,
        label="Cards printed from a file, posted",
        router_address="atelier@imprimerie-vasseur.example",
        file_pattern="{number}-{run}.csv",
        columns=COLUMNS,
        layout=FileLayout(encoding=FileEncoding.WINDOWS_1252, separator=Separator.SEMICOLON),
        file_approval=True,
        router_proof=True,
        handover=Handover.FOLDER,
        folder=FOLDER,
        ending=Ending.RESULTS,
    )


def _budget(made: Means, manager: Actor, times: int) -> SaveBudget:
    def cost(name: str, formula: Formula, driver: CostDriver, **more: object) -> CostStructure:
        fields = {"structure_id": new_id(), "category": "Direct mail", "label": name}
        return CostStructure.model_validate(fields | {"formula": formula, "driver": driver} | more)

    return SaveBudget(
        budget_id=made.budget_id,
        actor=manager,
        label=made.budget_label,
        allocated_minor=100_000 * times,
        currency="EUR",
        needs_approval=True,
        structures=(
            cost("Set-up", Formula.FIXED, CostDriver.NONE, amount_minor=6_000),
            cost(
                "Print, per 25 begun",
                Formula.LINEAR,
                CostDriver.LETTERS,
                unit_price=Decimal("12.00"),
                per=25,
                whole_batches=True,
                # The campaign names no stock: what is printed takes its cards.
                stock_line_id=made.stock_line_id,
            ),
            cost(
                "Postage, by volume",
                Formula.LINEAR_BANDS,
                CostDriver.LETTERS,
                bands=(
                    Band(up_to=50, unit_price=Decimal("1.10")),
                    Band(unit_price=Decimal("0.95")),
                ),
            ),
        ),
    )
