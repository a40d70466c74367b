"""The methods that systems which push to Adobe Campaign call: Logon, PushEvent, PushEvents.

They need another address and nothing else. A login is an operator's e-mail address, its password an
API token; the session token that Logon gives is good for a day, ``login/password`` in its place is
taken too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from lxml import etree
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from services.web import domain, sessions, tokens
from services.web.domain import Token
from services.web.events import numbers
from services.web.events.context import context_of
from services.web.events.door import Answer, Asked, Clash, EventDoor, Taken, asked_by, whole
from services.web.events.elements import children, local
from services.web.events.publishing import BrokerAway
from services.web.events.reading import Chunk, Item, NotRead, Wrong, read_item
from services.web.events.soap import Call, Fault, answered, faulted, listed, read_call
from services.web.events.wsdl import ROUTER, SCHEMAS, wsdl
from services.web.settings import web_settings
from services.web.store import AccountStore
from shared.errors import INTERRUPTIONS
from shared.http import problem
from shared.service import Runtime
from shared.uow import Work
from topics.outside import Queue

SESSION: Final = timedelta(hours=24)
PURPOSE: Final = "soap session"
MOST_EVENTS: Final = 10_000
QUEUES: Final = {"nms:rtEvent": Queue.REALTIME, "nms:batchEvent": Queue.BATCH}
CHANNELS: Final = {"0": "email", "1": "sms", "email": "email", "mobile": "sms", "sms": "sms"}
FORMATS: Final = {"1": "text", "2": "html", "text": "text", "html": "html"}
LANGUAGES: Final = {"english": "en", "french": "fr", "français": "fr"}
RENAMED: Final = {"mobilePhone": "phone", "externalId": "external_id"}
PLAIN: Final = frozenset({"type", "email", "origin", "country"})
DENIED: Final = "Invalid login or password. Connection denied."


class SoapDoor:
    """Takes events in over SOAP, through the same door as the others."""

    def __init__(self, runtime: Runtime, door: EventDoor) -> None:
        self._runtime = runtime
        self._door = door

    async def describe(self, request: Request) -> Response:
        """Return the WSDL of the schema that the query names."""
        schema = request.query_params.get("schema", "")
        if schema not in SCHEMAS:
            return problem(404, "Not found", f"schema is one of {', '.join(SCHEMAS)}")
        address = str(request.url.replace(path=ROUTER, query=""))
        return PlainTextResponse(wsdl(schema, address), media_type="text/xml")

    async def route(self, request: Request) -> Response:
        """Answer a call, or say in a fault why not."""
        try:
            call = read_call(await whole(request), request.headers.get("soapaction", ""))
            return await self._answer(call, request)
        except Fault as fault:
            return faulted(fault)
        except (NotRead, Clash) as wrong:
            return faulted(Fault("The SOAP message is not taken.", str(wrong)))
        except BrokerAway as away:
            return faulted(Fault("The event was not taken.", f"{away}; again", code="Server"))
        except INTERRUPTIONS:
            reason = "web cannot reach its database; try again shortly"
            return faulted(Fault("The event was not taken.", reason, code="Server"))
        except ClientDisconnect:
            return faulted(Fault("Broken off", "the request ended before its body did"))

    async def _answer(self, call: Call, request: Request) -> Response:
        if call.method not in SCHEMAS.get(call.schema, {}):
            raise Fault(
                f"There is no method '{call.method[:60]}' of service '{call.schema[:60]}'.",
                f"the services are {', '.join(SCHEMAS)}",
            )
        if call.method == "Logon":
            return await self._logon(call)
        if call.method == "Logoff":
            return answered(call)
        token = await self._token(call)
        asked = asked_by(request, token.operator_id, QUEUES[call.schema])
        if call.method == "PushEvent":
            return await self._push_one(call, asked)
        return await self._push_many(call, asked)

    async def _logon(self, call: Call) -> Response:
        async with self._runtime.uow.begin() as work:
            token = await _signed_in(work, call.text("strLogin"), call.text("strPassword"))
            until = work.now + SESSION
        if token is None:
            raise _denied(call)
        login = call.text("strLogin").lower()
        session = sessions.issue(self._runtime.settings.secret, token.token_id, until, PURPOSE)
        info = f"<sessionInfo xmlns=''>{listed('userInfo', [('login', login)])}</sessionInfo>"
        return answered(
            call,
            ("pstrSessionToken", session),
            ("pSessionInfo", info),
            ("pstrSecurityToken", ""),
        )

    async def _token(self, call: Call) -> Token:
        """Return whose session it is, or of which login and password."""
        text = call.text("sessiontoken")
        login, _, password = text.rpartition("/")
        async with self._runtime.uow.begin() as work:
            token_id = sessions.read(self._runtime.settings.secret, text, work.now, PURPOSE)
            if token_id is not None:
                token = await tokens.still_good(work, token_id)
            else:
                token = await _signed_in(work, login or None, password)
        if token is None or not domain.allows(token.scopes, "POST", "events_status"):
            raise _denied(call)
        return token

    async def _push_one(self, call: Call, asked: Asked) -> Response:
        events = _events(call, "domEvent")
        if len(events) != 1:
            raise _unread(call, "domEvent holds one event")
        ((answer, number),) = await self._take(call, events, asked)
        if isinstance(answer, Wrong):
            raise _unread(call, answer.reason)
        return answered(call, ("plId", str(number)))

    async def _push_many(self, call: Call, asked: Asked) -> Response:
        events = _events(call, "domEventCollection")
        if not 1 <= len(events) <= MOST_EVENTS:
            raise _unread(call, f"domEventCollection holds 1 to {MOST_EVENTS} events")
        answers = await self._take(call, events, asked)
        lines = "".join(_line(call, answer, number) for answer, number in answers)
        first = next((number for _, number in answers if number), 0)
        return answered(
            call, ("plId", str(first)), ("pdomEvents", f'<Events xmlns="">{lines}</Events>')
        )

    async def _take(
        self, call: Call, events: Sequence[etree._Element], asked: Asked
    ) -> list[tuple[Answer, int]]:
        """Return what became of each event, with its number; 0 when it was not taken."""
        zone = self._runtime.settings.zone
        wanted = call.schema.partition(":")[2]
        items = [_item(place, one, wanted, zone) for place, one in enumerate(events)]
        digest = hashlib.sha256()
        for one in events:
            digest.update(etree.tostring(one, method="c14n", with_tail=False))
        answers = await self._door.take(Chunk(0, items, digest.digest()), asked)
        taken = [one.event_id for one in answers if isinstance(one, Taken)]
        async with self._runtime.uow.begin() as work:
            instance = web_settings(self._runtime.settings).event_instance
            given = await numbers.give(work.connection, taken, instance)
        return [(one, given[one.event_id] if isinstance(one, Taken) else 0) for one in answers]


async def _signed_in(work: Work, login: str | None, password: str) -> Token | None:
    """Return the token that is the password of a login, or of anybody when none is said."""
    try:
        token = await tokens.authenticate(work, password)
    except tokens.BadToken:
        return None
    if login is None:
        return token
    account = await AccountStore(work.connection).get(token.operator_id)
    return token if account is not None and account.email == login.lower() else None


def _denied(call: Call) -> Fault:
    return _unread(call, DENIED)


def _unread(call: Call, detail: str) -> Fault:
    reason = f"Error while reading parameters of method '{call.method}' of service '{call.schema}'."
    return Fault(reason, detail)


def _events(call: Call, name: str) -> list[etree._Element]:
    """Return the event elements of a parameter; one element around them all is looked through."""
    parameter = call.parameter(name)
    if parameter is None:
        raise _unread(call, f"{name} is missing")
    found = children(parameter)
    if len(found) == 1 and not local(found[0].tag).lower().endswith("event"):
        return children(found[0])
    return found


def _item(index: int, element: etree._Element, wanted: str, zone: ZoneInfo) -> Item:
    if local(element.tag).lower() != wanted.lower():
        return Wrong(index, 422, None, f"an event of this service is a {wanted} element")
    try:
        fields = _fields(element, zone)
    except ValueError as problem:
        return Wrong(index, 422, None, str(problem))
    return read_item(index, fields)


def _fields(element: etree._Element, zone: ZoneInfo) -> dict[str, Any]:
    """Return an event's fields as the contract names them.

    Raises:
        ValueError: an attribute or a child is not known, or its value is none of those it takes.
    """
    fields: dict[str, Any] = {}
    for raw, given in element.attrib.items():
        name, value = local(raw), str(given)
        if not name.startswith("_") and value:  # Adobe's own marks, such as _operation
            fields |= _field(name, value, zone)
    contexts = [one for one in children(element) if local(one.tag) == "ctx"]
    if len(contexts) != 1 or len(children(element)) != 1:
        raise ValueError("ctx: an event holds one ctx element and nothing else")
    return fields | {"ctx": context_of(contexts[0])}


def _field(name: str, value: str, zone: ZoneInfo) -> dict[str, Any]:
    if name in PLAIN or name in RENAMED:
        return {RENAMED.get(name, name): value}
    if name == "wishedChannel":
        return {"wished_channel": _one_of(name, value, CHANNELS)}
    if name == "emailFormat":
        return {} if value == "0" else {"email_format": _one_of(name, value, FORMATS)}
    if name == "language":
        code = LANGUAGES.get(value.lower(), value[:2].lower())
        return {"language": _one_of(name, code, {"en": "en", "fr": "fr"})}
    if name in {"scheduled", "expiration"}:
        return {name: _time(name, value, zone)}
    raise ValueError(f"{name[:60]}: this attribute is not known")


def _one_of(name: str, value: str, known: dict[str, str]) -> str:
    found = known.get(value.lower())
    if found is None:
        raise ValueError(f"{name}: takes {', '.join(known)}")
    return found


def _time(name: str, value: str, zone: ZoneInfo) -> datetime:
    """Return a time as Adobe writes it; without a zone it is the instance's own."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name}: is no time (such as 2026-11-26T10:00:00Z)") from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _line(call: Call, answer: Answer, number: int) -> str:
    name = call.schema.partition(":")[2]
    attributes = [("index", str(answer.index)), ("id", str(number))]
    if isinstance(answer, Wrong):
        attributes.append(("error", answer.reason))
    return listed(name, attributes)
