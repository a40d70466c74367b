"""What the HTTP routes of suppliers take and give."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, SecretStr

from services.supplier.domain.jobs import Decision, JobState
from services.supplier.store.letters import Batch
from services.supplier.store.results import Import
from services.supplier.store.services import SupplierService
from services.supplier.store.suppliers import Supplier
from shared.mail.outcome import Outcome
from topics.supplier import Ending, FileLayout, Handover, SftpServer, SupplierContact


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
    layout: FileLayout = FileLayout()
    file_approval: bool = False
    router_proof: bool = False
    handover: Handover = Handover.ATTACHED
    ending: Ending = Ending.CONFIRMATION
    folder: str = Field(default="", max_length=200)
    sftp: SftpServer | None = None
    supplier_id: UUID | None = None


class SaveSupplierBody(_Body):
    """A supplier to save, with its contacts."""

    supplier_id: UUID | None = None
    name: str = Field(min_length=1, max_length=200)
    address: str = Field(default="", max_length=500)
    contacts: tuple[SupplierContact, ...] = Field(default=(), max_length=20)


class SupplierSaved(BaseModel):
    """A saved supplier's id and version."""

    supplier_id: UUID
    version: int


class SupplierView(BaseModel):
    """A supplier and the people there."""

    supplier_id: UUID
    version: int
    name: str
    address: str
    contacts: tuple[SupplierContact, ...]

    @classmethod
    def of(cls, supplier: Supplier) -> SupplierView:
        """Return the view of a supplier."""
        return cls(**{name: getattr(supplier, name) for name in cls.model_fields})


class SecretBody(_Body):
    """What signs in to a router's server: a password, or a private key as OpenSSH writes it."""

    secret: SecretStr = Field(min_length=1, max_length=10_000)


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
    layout: FileLayout
    file_approval: bool
    router_proof: bool
    handover: Handover
    ending: Ending
    folder: str
    sftp: SftpServer | None
    supplier_id: UUID | None

    @classmethod
    def of(cls, service: SupplierService) -> ServiceView:
        """Return the view of a service."""
        return cls(**{name: getattr(service, name) for name in cls.model_fields})


class JobView(BaseModel):
    """An extraction file on its way; ``error`` says what holds it up and what to do.

    ``post_processing`` is a workflow of its own: started, paused, stopped or ended.
    """

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
    bytes: int
    replaced: int
    cut: int
    ending: Ending
    sent: int
    failed: int
    error: str
    next_at: datetime
    created_at: datetime
    changed_at: datetime
    post_processing: str | None
    post_processing_status: str | None


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


class ProofBody(_Body):
    """A router's proof of a file: a PDF, or a picture (PNG, JPEG)."""

    content: Base64Bytes


class ProofTaken(BaseModel):
    """The name a proof is kept by, and its SHA-256, to which its approval is bound."""

    name: str
    sha256: str


class ImportView(BaseModel):
    """A router's result file; what became of its lines adds up once it is applied."""

    import_id: UUID
    sha256: str
    lines: int
    taken: int
    repeated: int
    rejected: int
    is_complete: bool
    started_at: datetime
    applied_at: datetime | None

    @classmethod
    def of(cls, one: Import) -> ImportView:
        """Return the view of an import."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class ResultsBody(_Body):
    """A router's result file: CSV with the titles reference (or recipient_id), status, reason."""

    content: Base64Bytes


class ResultsTaken(BaseModel):
    """The import a result file became; the same file again is the same import."""

    import_id: UUID


class RejectedView(BaseModel):
    """A line of a result file that counts nothing, and why."""

    line: int
    problem: str


class RejectedPage(BaseModel):
    """Rejected lines, and the last one when there may be more."""

    lines: list[RejectedView]
    after: int | None


class DecisionBody(_Body):
    """What is to become of a file that does not go on by itself."""

    decision: Decision
