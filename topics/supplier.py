"""Messages of suppliers: services, extraction files, the mail to the router, post-processing."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.letters import LetterSource
from topics.message import Actor, Command, Event, State, Value
from topics.names import SUPPLIER_COMMANDS, SUPPLIER_EVENTS, SUPPLIER_STATE


class SupplierContact(Value):
    """Somebody at a supplier; with ``notified``, the mails to its routers go to them too."""

    name: str = Field(min_length=1, max_length=200)
    role: str = Field(default="", max_length=100)
    email: str = Field(default="", max_length=254)
    phone: str = Field(default="", max_length=50)
    notified: bool = False


class SaveSupplier(Command, topic=SUPPLIER_COMMANDS, key="supplier_id"):
    """Save a supplier and its contacts. Answers: ``SupplierState`` or ``SupplierRefused``."""

    supplier_id: UUID
    actor: Actor
    name: str = Field(min_length=1, max_length=200)
    address: str = Field(default="", max_length=500)
    contacts: tuple[SupplierContact, ...] = Field(default=(), max_length=20)


class FileFormat(StrEnum):
    """What an extraction file is."""

    CSV = "csv"
    FIXED_WIDTH = "fixed_width"
    XLSX = "xlsx"
    XML = "xml"


class FileEncoding(StrEnum):
    """How the text of a CSV or fixed-width file is written; XLSX and XML are always UTF-8."""

    UTF_8 = "utf-8"
    UTF_8_BOM = "utf-8-sig"
    WINDOWS_1252 = "windows-1252"
    LATIN_1 = "iso-8859-1"
    LATIN_9 = "iso-8859-15"


class LineEnd(StrEnum):
    """What ends the lines of a CSV or fixed-width file."""

    CRLF = "crlf"
    LF = "lf"


class Separator(StrEnum):
    """What stands between the values of a CSV file."""

    COMMA = ","
    SEMICOLON = ";"
    TAB = "\t"
    PIPE = "|"


class FileLayout(Value):
    """How a supplier wants its files.

    ``titles``: whether the first line names the columns; ``names`` are other names for them, one a
    column. ``widths`` are the columns' widths in characters, for a fixed-width file alone.
    """

    format: FileFormat = FileFormat.CSV
    encoding: FileEncoding = FileEncoding.UTF_8
    line_end: LineEnd = LineEnd.CRLF
    separator: Separator = Separator.COMMA
    titles: bool = True
    names: tuple[str, ...] = Field(default=(), max_length=30)
    widths: tuple[int, ...] = Field(default=(), max_length=30)


class Handover(StrEnum):
    """How a router gets its file; a mail tells it in every case.

    With the mail, behind a signed link that ends, in a folder of this host, or on its own server.
    """

    ATTACHED = "attached"
    LINK = "link"
    FOLDER = "folder"
    SFTP = "sftp"


class SftpServer(Value):
    """A router's server; ``host_key`` is its public key as OpenSSH writes it (``ssh-ed25519 …``).

    How to sign in is no part of any message: it is kept apart, encrypted.
    """

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=22, ge=1, le=65_535)
    username: str = Field(min_length=1, max_length=100)
    host_key: str = Field(min_length=1, max_length=2000)


class Ending(StrEnum):
    """When letters count as sent: at the router's confirmation, or by its result file."""

    CONFIRMATION = "confirmation"
    RESULTS = "results"


class SaveService(Command, topic=SUPPLIER_COMMANDS, key="service_id"):
    """Save a supplier's service. Answers: ``SupplierServiceState`` or ``SupplierRefused``.

    ``file_pattern`` may use ``{number}``, ``{label}``, ``{date}`` and ``{run}``; ``columns`` are
    names of :class:`ExtractionRow` fields, or ``reference`` (a number of the row's own, by which a
    router's answer names it), in order.
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
    layout: FileLayout = FileLayout()
    file_approval: bool = Field(
        default=False, description="whether a file leaves only once it is approved"
    )
    router_proof: bool = Field(
        default=False, description="whether the router prints only once its proof is approved"
    )
    handover: Handover = Handover.ATTACHED
    ending: Ending = Ending.CONFIRMATION
    folder: str = Field(
        default="", max_length=200, description="where files go, on this host or the router's"
    )
    sftp: SftpServer | None = None
    supplier_id: UUID | None = Field(
        default=None, description="the saved supplier whose notified contacts are written to"
    )


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
    """The file is written, and approved where it must be; goods and costs are counted from this."""

    campaign_id: UUID
    run_id: UUID
    service_id: UUID
    file_id: UUID
    file_name: str
    rows: int
    sha256: str


class ExtractionSubmitted(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """A file waits for its approval before it leaves; approved is what has this SHA-256.

    Reader: delivery, which asks for the approval and answers with ``ApprovalDecided``.
    """

    campaign_id: UUID
    run_id: UUID
    file_id: UUID
    file_name: str
    rows: int
    sha256: str
    review_path: str | None = Field(
        default=None, max_length=200, description="where it can be seen, on the public address"
    )


class RouterProofSubmitted(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """A router's proof of a file waits for its approval; the router prints after it.

    Reader: delivery, which asks for the approval and answers with ``ApprovalDecided``.
    """

    campaign_id: UUID
    run_id: UUID
    file_id: UUID
    proof_name: str
    rows: int
    sha256: str
    review_path: str | None = Field(
        default=None, max_length=200, description="where it can be seen, on the public address"
    )


class SupplierNotified(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """The router's server took the mail with the file; its addressees count as sent.

    With ``awaits_results`` they do not yet: ``LettersReported`` says of each what became of it.
    """

    campaign_id: UUID
    run_id: UUID
    service_id: UUID
    file_id: UUID
    rows: int
    awaits_results: bool = False


class FailedLetter(Value):
    """A letter that did not go out, and the router's word for why."""

    recipient_id: UUID
    reason: str = Field(default="", max_length=60)


class LettersReported(Event, topic=SUPPLIER_EVENTS, key="campaign_id"):
    """What became of some letters, by the router's result file; each is told once."""

    campaign_id: UUID
    run_id: UUID
    file_id: UUID
    sent: tuple[UUID, ...] = Field(default=(), max_length=1000)
    failed: tuple[FailedLetter, ...] = Field(default=(), max_length=1000)


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


class SupplierState(State, topic=SUPPLIER_STATE, key="supplier_id"):
    """A supplier, for lists and selects; its contacts stay with the service that keeps them."""

    supplier_id: UUID
    name: str
