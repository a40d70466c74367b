"""What a person does in the workspace, as the driver asks for it: one model per deed."""

from typing import Any, Literal

from pydantic import Field

from deploy.embedded.slack.seed import Person
from deploy.embedded.slack.wire import Forgery, Json, Wire


class Place(Wire):
    """Where an element is: a message (as of the ``version`` the person sees) or a view."""

    channel: str | None = None
    ts: str | None = None
    version: int | None = None
    view_id: str | None = None


class Deed(Wire):
    """Something ``user`` (id or name) does; ``forgery`` sends it in a way the app must refuse."""

    user: str
    forgery: Forgery | None = None


class Slash(Deed):
    """Types a slash command in a channel."""

    command: str
    text: str = ""
    channel: str = "#campaigns"


class Click(Deed):
    """Presses a button, or picks ``value`` in a select, date or overflow menu.

    ``values`` fills other fields of the same view first, as a person may have.
    """

    place: Place
    action_id: str
    block_id: str | None = None
    value: Any = None
    values: Json = Field(default_factory=dict)


class Submit(Deed):
    """Fills in and submits a modal; keys are ``block_id.action_id``, or either alone."""

    view_id: str
    values: Json = Field(default_factory=dict)


class Close(Deed):
    """Closes a modal by its cross."""

    view_id: str


class Suggest(Deed):
    """Types ``query`` in an external select and looks at what is offered."""

    place: Place
    action_id: str
    block_id: str | None = None
    query: str = ""


class Shortcut(Deed):
    """Uses a global shortcut, or a message shortcut when ``place`` names a message."""

    callback_id: str
    place: Place | None = None


class OpenHome(Deed):
    """Opens the app's Home tab."""

    tab: Literal["home", "messages"] = "home"


class Say(Deed):
    """Writes a message; ``notify`` sends the app the ``message`` event too."""

    channel: str
    text: str
    notify: bool = False


class Happen(Wire):
    """An event of any type, wrapped as Slack wraps it."""

    event: Json
    forgery: Forgery | None = None


class Again(Wire):
    """The same payload once more, under the same envelope id; the last one if none is named."""

    delivery_id: str | None = None
    attempt: int = 0
    reason: str | None = None


class Mode(Wire):
    """How the app is reached: its request URL, or by Socket Mode when there is none."""

    request_url: str | None = None


class Timing(Wire):
    """Changes how long Slack waits: for an ack, and before it sends again (none: never)."""

    ack_seconds: float | None = None
    redelivery_seconds: list[float] | None = None


class Change(Wire):
    """A change to a member: the fields to set (``deleted``, ``snoozed``, ``tz``, ``locale``…)."""

    user: str
    fields: Json


class Arrive(Wire):
    """A new member, in every channel the others are in."""

    person: Person
