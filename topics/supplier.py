"""Messages of suppliers: services, extraction files, the mail to the router, post-processing."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from topics.letters import LetterSource
from topics.message import Actor, Command, Event, State, Value
from topics.names import SUPPLIER_COMMANDS, SUPPLIER_EVENTS, SUPPLIER_STATE


class SaveService(Command, topic=SUPPLIER_COMMANDS, key="service_id"):
    """Save a supplier's service. Answers: ``SupplierServiceState`` or ``SupplierRefused``.

    ``file_pattern`` may use ``{number}``, ``{label}``, ``{date}`` and ``{run}``; ``columns`` are
    names of :class:`ExtractionRow` fields, in order.
    """

    service_id: UUID
    actor: Actor
    supplier: str = Field(min_length=1, max_length=200)
    label: str = Field(min_length=1, max_length=200)
    router_address: str = Field(min_length=3, max_length=254)
    file_pattern: str = Field(default="{number}-{date}.csv", min_length=1, max_length=120)
    columns: tuple[str, ...] = Field(
        default=("recipient", "site", "street", "postal_code", "town", "country"), max_length=30
    )
    language: str = Field(default="en", pattern="^(en|fr)$")


class ExtractionRow(Value):
    """One addressee of a supplier's file; ``recipient_id`` is the ledger's."""

    recipient_id: UUID
    recipient: str
    site: str = ""
    street: str = ""
    postal_code: str = ""
    town: str = ""
    country: str = ""
    phone: str = ""
    language: str = "en"
    first_name: str = ""
    last_name: str = ""


class ExtractRows(Command, topic=SUPPLIER_COMMANDS, key="campaign_id"):
    """Put addressees without e-mail into the supplier's file; it is written with the last chunk.

    With a ``letter`` the supplier's file comes with PDF files, a letter to each addressee: every
    chunk carries the same one, since chunks come in any order. Source: delivery. Carries personal
    data. Answers: ``ExtractionProduced``, later ``SupplierNotified``; or ``SupplierRefused``; and
    ``LettersFailed`` for addressees whose letter cannot be set.
    """

    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    run_id: UUID
    delivery_id: UUID
    service_id: UUID
    index: int = Field(ge=0)
    chunks: int = Field(ge=1)
    rows: tuple[ExtractionRow, ...] = Field(max_length=1000)
    letter: LetterSource | None = None


class LettersFailed(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """These addressees got no letter: the markup cannot be set over their data. The others do."""

    campaign_id: UUID
    run_id: UUID
    recipient_ids: tuple[UUID, ...] = Field(min_length=1, max_length=1000)
    reason: str


class ExtractionProduced(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """The file is written; stock is consumed and costs are counted from this."""

    campaign_id: UUID
    run_id: UUID
    service_id: UUID
    file_id: UUID
    file_name: str
    rows: int
    sha256: str


class SupplierNotified(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """The router's server took the mail with the file; its addressees count as sent."""

    campaign_id: UUID
    run_id: UUID
    service_id: UUID
    file_id: UUID
    rows: int


class PostProcessingRecorded(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """The supplier's post-processing step for a file was recorded."""

    campaign_id: UUID
    run_id: UUID
    file_id: UUID


class SupplierRefused(Event, topic=SUPPLIER_EVENTS, key="subject_id"):
    """A service could not be saved, or rows not extracted; ``run_id`` when a run waits for them."""

    subject_id: UUID
    run_id: UUID | None = None
    command: str
    reason: str
    field: str | None = None


class SupplierServiceState(State, topic=SUPPLIER_STATE, key="service_id"):
    """A supplier's service, for lists and selects."""

    service_id: UUID
    supplier: str
    label: str
