"""The control endpoints, by which a driver in any process acts and looks; never part of Slack."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from deploy.embedded.slack import asks
from deploy.embedded.slack.courier import Courier
from deploy.embedded.slack.faults import Fault, Faults, Pace
from deploy.embedded.slack.inputs import InputRefused
from deploy.embedded.slack.people import People
from deploy.embedded.slack.places import UnknownName
from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Ack, Json, Wire

W = TypeVar("W", bound=Wire)
LONGEST_WAIT = 30.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_DEEDS: dict[str, tuple[type[Wire], Callable[[People, Any], Awaitable[Ack]]]] = {
    "slash": (asks.Slash, People.slash),
    "click": (asks.Click, People.click),
    "submit": (asks.Submit, People.submit),
    "close": (asks.Close, People.close),
    "suggest": (asks.Suggest, People.suggest),
    "shortcut": (asks.Shortcut, People.shortcut),
    "open_home": (asks.OpenHome, People.open_home),
    "say": (asks.Say, People.say),
    "happen": (asks.Happen, People.happen),
}


def _rows(rows: Iterable[Wire]) -> web.Response:
    return web.json_response([row.model_dump(mode="json") for row in rows])


async def _read(request: web.Request, model: type[W]) -> W:
    return model.model_validate_json(await request.read())


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what the driver got wrong into an answer that says so."""
    try:
        return await handler(request)
    except ValidationError as fault:
        return web.json_response({"kind": "invalid", "error": str(fault)}, status=400)
    except InputRefused as fault:
        return web.json_response({"kind": "input", "error": str(fault)}, status=422)
    except (UnknownName, KeyError) as fault:
        return web.json_response({"kind": "unknown", "error": str(fault)}, status=404)


class Control:
    """Serves ``/control/…``."""

    def __init__(
        self,
        *,
        state: State,
        people: People,
        courier: Courier,
        faults: Faults,
        reach: Callable[[str | None], None],
    ) -> None:
        self._state = state
        self._people = people
        self._courier = courier
        self._faults = faults
        self._reach = reach

    def app(self) -> web.Application:
        """Return the endpoints as an application to mount."""
        app = web.Application(middlewares=[explain])
        app.router.add_post("/do/{deed}", self.do)
        app.router.add_get("/about", self.about)
        app.router.add_get("/changes", self.changes)
        app.router.add_get("/messages", self.messages)
        app.router.add_get("/ephemerals", self.ephemerals)
        app.router.add_get("/views", self.views)
        app.router.add_get("/files", self.files)
        app.router.add_post("/fault", self.fault)
        app.router.add_post("/pace", self.pace)
        app.router.add_post("/calm", self.calm)
        app.router.add_post("/again", self.again)
        app.router.add_post("/replay", self.replay)
        app.router.add_post("/verify", self.verify)
        app.router.add_post("/disconnect/{reason}", self.disconnect)
        app.router.add_post("/mode", self.mode)
        app.router.add_post("/timing", self.timing)
        app.router.add_post("/member", self.member)
        app.router.add_post("/arrival", self.arrival)
        return app

    async def do(self, request: web.Request) -> web.Response:
        """Do what a person does; answer with the ack."""
        name = request.match_info["deed"]
        if name not in _DEEDS:
            raise UnknownName(f"nobody can {name!r}; a person can: {', '.join(_DEEDS)}")
        model, act = _DEEDS[name]
        ack = await act(self._people, await _read(request, model))
        return web.json_response(ack.model_dump(mode="json"))

    async def about(self, _request: web.Request) -> web.Response:
        """Tell who is there, how the app is reached and how many connections it has."""
        seed, url = self._state.seed, self._courier.request_url
        return web.json_response(
            {
                "team": seed.team_name,
                "connected": self._courier.sockets.connected,
                "shares": self._courier.sockets.shares,
                "request_url": url.url if url else None,
                "changes": self._state.changes.count,
                "people": [p.model_dump() for p in self._state.rows.people.values()],
                "channels": [c.model_dump() for c in self._state.rows.channels.values()],
            }
        )

    async def changes(self, request: web.Request) -> web.Response:
        """Answer as soon as something changed after ``since``, at most after ``timeout``."""
        since = int(request.query.get("since", "-1"))
        timeout = min(float(request.query.get("timeout", "0")), LONGEST_WAIT)
        return web.json_response({"changes": await self._state.changes.after(since, timeout)})

    async def messages(self, request: web.Request) -> web.Response:
        """List the messages of a channel, or of all, oldest first."""
        which = request.query.get("channel")
        ids = [self._channel(which)] if which else list(self._state.rows.channels)
        return _rows(row for channel in ids for row in self._state.messages(channel))

    def _channel(self, which: str) -> str:
        channel = self._state.channel(which)
        person = self._state.person(which)
        if channel is None and person is not None:
            channel = self._state.direct_channel([person.id])
        if channel is None:
            raise UnknownName(f"no channel is called {which!r}")
        return channel.id

    def _user(self, request: web.Request) -> str:
        who = request.query.get("user", "")
        person = self._state.person(who)
        if person is None:
            raise UnknownName(f"no member is called {who!r}")
        return person.id

    async def ephemerals(self, request: web.Request) -> web.Response:
        """List what one user alone was told."""
        user = self._user(request)
        return _rows(row for row in self._state.rows.ephemerals if row.user == user)

    async def views(self, request: web.Request) -> web.Response:
        """List a user's open modals, the one on top last; with ``home=1`` the Home tab."""
        user = self._user(request)
        if request.query.get("home"):
            home = self._state.home(user)
            return _rows([home] if home else [])
        return _rows(self._state.stack(user))

    async def files(self, _request: web.Request) -> web.Response:
        """List the files uploaded."""
        return _rows(self._state.rows.files.values())

    async def fault(self, request: web.Request) -> web.Response:
        """Script a fault."""
        self._faults.script(await _read(request, Fault))
        return web.json_response({})

    async def pace(self, request: web.Request) -> web.Response:
        """Hold a method to a pace."""
        self._faults.keep_pace(await _read(request, Pace))
        return web.json_response({})

    async def calm(self, _request: web.Request) -> web.Response:
        """Forget every fault and pace."""
        self._faults.clear()
        return web.json_response({})

    async def again(self, request: web.Request) -> web.Response:
        """Send a payload again under its own id."""
        ask = await _read(request, asks.Again)
        ack = await self._courier.again(ask.delivery_id, attempt=ask.attempt, reason=ask.reason)
        return web.json_response(ack.model_dump(mode="json"))

    async def replay(self, _request: web.Request) -> web.Response:
        """Send the last HTTP request again, byte for byte."""
        if self._courier.request_url is None:
            raise UnknownName("only HTTP mode can replay a request")
        ack = await self._courier.request_url.replay()
        return web.json_response(ack.model_dump(mode="json"))

    async def verify(self, _request: web.Request) -> web.Response:
        """Check the request URL by a challenge."""
        if self._courier.request_url is None:
            raise UnknownName("there is no request URL to verify")
        token = self._state.seed.app.verification_token
        ack = await self._courier.request_url.verify(self._state.make_id("challenge"), token)
        return web.json_response(ack.model_dump(mode="json"))

    async def disconnect(self, request: web.Request) -> web.Response:
        """Ask the app's connections to leave, or with ``drop`` cut them."""
        reason = request.match_info["reason"]
        sockets = self._courier.sockets
        count = await (sockets.drop() if reason == "drop" else sockets.disconnect(reason))
        return web.json_response({"connections": count})

    async def mode(self, request: web.Request) -> web.Response:
        """Set how the app is reached."""
        self._reach((await _read(request, asks.Mode)).request_url)
        return web.json_response({})

    async def timing(self, request: web.Request) -> web.Response:
        """Change how long the stub waits."""
        ask = await _read(request, asks.Timing)
        if ask.ack_seconds is not None:
            self._courier.patience.ack_seconds = ask.ack_seconds
        if ask.redelivery_seconds is not None:
            self._courier.patience.redelivery_seconds = tuple(ask.redelivery_seconds)
        return web.json_response({})

    async def member(self, request: web.Request) -> web.Response:
        """Change a member: they leave, they snooze, they move."""
        ask = await _read(request, asks.Change)
        person = self._state.person(ask.user)
        if person is None:
            raise UnknownName(f"no member is called {ask.user!r}")
        changed = type(person).model_validate({**person.model_dump(), **ask.fields})
        self._state.rows.people[person.id] = changed
        self._state.changes.note()
        return web.json_response(changed.model_dump(mode="json"))

    async def arrival(self, request: web.Request) -> web.Response:
        """Take in a new member."""
        person = (await _read(request, asks.Arrive)).person
        self._state.rows.people[person.id] = person
        for channel in list(self._state.rows.channels.values()):
            if not channel.direct and person.id not in channel.members:
                members = [*channel.members, person.id]
                joined: Json = {"members": members}
                self._state.rows.channels[channel.id] = channel.model_copy(update=joined)
        self._state.changes.note()
        return web.json_response(person.model_dump(mode="json"))
