"""What the HTTP routes of suppliers take and give."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.supplier.domain import Decision, JobState, Outcome
from services.supplier.store.letters import Batch
from services.supplier.store.services import SupplierService


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SaveServiceBody(_Body):
    """A supplier's service to save."""

    service_id: UUID | None = None
    supplier: str = Field(min_length=1, max_length=200)
    label: str = Field(min_length=1, max_length=200)
    router_address: str = Field(min_length=3, max_length=254)
    file_pattern: str = Field(default="{number}-{date}.csv", min_length=1, max_length=120)
    columns: tuple[str, ...] = Field(
        default=("recipient", "site", "street", "postal_code", "town", "country"), max_length=30
    )
    language: str = Field(default="en", pattern="^(en|fr)$")


class ServiceSaved(BaseModel):
    """A saved service's id and version."""

    service_id: UUID
    version: int


class ServiceView(BaseModel):
    """A supplier's service as lists show it."""

    service_id: UUID
    version: int
    supplier: str
    label: str
    router_address: str
    file_pattern: str
    columns: tuple[str, ...]
    language: str

    @classmethod
    def of(cls, service: SupplierService) -> ServiceView:
        """Return the view of a service."""
        return cls(**asdict(service))


class JobView(BaseModel):
    """An extraction file on its way; ``error`` says what holds it up and what to do."""

    file_id: UUID
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    run_id: UUID
    service_id: UUID
    supplier: str | None
    state: JobState
    file_name: str
    rows: int
    sha256: str | None
    error: str
    next_at: datetime
    created_at: datetime
    changed_at: datetime


class JobPage(BaseModel):
    """A page of files, and whether supplierMgt is started: they wait while it is not."""

    jobs: list[JobView]
    after: UUID | None
    started: bool


class LettersView(BaseModel):
    """A PDF file of letters; without SHA-256 it is not set yet."""

    batch: int
    name: str
    letters: int
    pages: int
    bytes: int
    sha256: str | None

    @classmethod
    def of(cls, batch: Batch) -> LettersView:
        """Return the view of a batch."""
        return cls(
            batch=batch.batch,
            name=batch.name,
            letters=len(batch.pages),
            pages=sum(batch.pages),
            bytes=batch.bytes,
            sha256=batch.sha256,
        )


class AttemptView(BaseModel):
    """One attempt to mail a router; without outcome it is under way."""

    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    answer: str


class DecisionBody(_Body):
    """What is to become of a file whose mail is ambiguous or failed."""

    decision: Decision
