"""The ``conversations.*`` methods, and a message as Slack shows it."""

from deploy.embedded.slack.calls import Args, Context, Method, Refused
from deploy.embedded.slack.seed import Channel
from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Json, Message


def app_channel(ctx: Context, which: str, *, open_direct: bool = False) -> Channel:
    """Return a channel the app may write to; refuse the others as Slack does.

    ``open_direct`` takes a user's id too, for a direct message.
    """
    if open_direct and which in ctx.state.rows.people:
        return ctx.state.direct_channel([which])
    channel = ctx.state.channel(which)
    if channel is None or (channel.private and not channel.app_is_member):
        raise Refused("channel_not_found")
    if channel.archived:
        raise Refused("is_archived")
    if not channel.app_is_member:
        raise Refused("not_in_channel")
    return channel


def shown(state: State, message: Message, *, with_metadata: bool = True) -> Json:
    """Return a message as the Web API and the payloads show it."""
    app = state.seed.app
    body: Json = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
        "team": state.seed.team_id,
    }
    if message.by_app:
        body |= {"bot_id": app.bot_id, "app_id": app.app_id}
    for name in ("blocks", "attachments"):
        if getattr(message.content, name):
            body[name] = getattr(message.content, name)
    if message.thread_ts:
        body["thread_ts"] = message.thread_ts
    if len(message.versions) > 1:
        at = message.versions[-1].at.timestamp()
        body["edited"] = {"user": message.user, "ts": f"{at:.6f}"}
    if message.file_ids:
        body["files"] = [_file(state, file_id) for file_id in message.file_ids]
    if with_metadata and message.metadata:
        body["metadata"] = message.metadata
    return body


def _file(state: State, file_id: str) -> Json:
    file = state.rows.files[file_id]
    return {"id": file.id, "name": file.name, "title": file.title, "size": file.length}


def _described(ctx: Context, channel: Channel) -> Json:
    single = channel.direct and len(channel.members) == 1
    body: Json = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": not channel.direct,
        "is_im": single,
        "is_mpim": channel.direct and not single,
        "is_private": channel.private or channel.direct,
        "is_archived": channel.archived,
        "is_member": channel.app_is_member,
        "num_members": len(channel.members),
        "context_team_id": ctx.state.seed.team_id,
    }
    return {**body, "user": channel.members[0]} if single else body


def _visible(ctx: Context, which: str) -> Channel:
    channel = ctx.state.channel(which)
    if channel is None or (channel.private and not channel.app_is_member):
        raise Refused("channel_not_found")
    return channel


def info(ctx: Context, args: Args) -> Json:
    """``conversations.info``."""
    return {"channel": _described(ctx, _visible(ctx, args.need("channel")))}


def members(ctx: Context, args: Args) -> Json:
    """``conversations.members``."""
    return {"members": _visible(ctx, args.need("channel")).members, **_no_more()}


def _no_more() -> Json:
    return {"response_metadata": {"next_cursor": ""}}


def listed(ctx: Context, args: Args) -> Json:
    """``conversations.list``: the kinds asked for in ``types``, public channels by default."""
    kinds = set(args.text("types", "public_channel").split(","))
    rows = [c for c in ctx.state.rows.channels.values() if _kind(c) in kinds]
    if args.flag("exclude_archived"):
        rows = [c for c in rows if not c.archived]
    seen = [c for c in rows if c.app_is_member or not c.private]
    return {"channels": [_described(ctx, c) for c in seen], **_no_more()}


def _kind(channel: Channel) -> str:
    if channel.direct:
        return "im" if len(channel.members) == 1 else "mpim"
    return "private_channel" if channel.private else "public_channel"


def opened(ctx: Context, args: Args) -> Json:
    """``conversations.open``: a direct channel with one or several people."""
    if args.text("channel"):
        channel = _visible(ctx, args.text("channel"))
    else:
        channel = ctx.state.direct_channel(_invited(ctx, args.need("users")))
    full = args.flag("return_im")
    return {"channel": _described(ctx, channel) if full else {"id": channel.id}}


def _invited(ctx: Context, users: str) -> list[str]:
    people = [user.strip() for user in users.split(",")]
    for user in people:
        person = ctx.state.rows.people.get(user)
        if person is None:
            raise Refused("user_not_found")
        if person.deleted:
            raise Refused("user_disabled")
    return people


def _between(args: Args, message: Message) -> bool:
    oldest, latest = args.text("oldest", "0"), args.text("latest", "9999999999")
    ts, low, high = float(message.ts), float(oldest), float(latest)
    if args.flag("inclusive"):
        return low <= ts <= high
    return low < ts < high


def _page(ctx: Context, args: Args, rows: list[Message]) -> Json:
    limit = args.number("limit", 100)
    cursor = args.text("cursor")
    if cursor:
        rows = [row for row in rows if row.ts <= cursor]
    page, rest = rows[:limit], rows[limit:]
    full = args.flag("include_all_metadata")
    return {
        "messages": [shown(ctx.state, row, with_metadata=full) for row in page],
        "has_more": bool(rest),
        "pin_count": 0,
        "response_metadata": {"next_cursor": rest[0].ts if rest else ""},
    }


def history(ctx: Context, args: Args) -> Json:
    """``conversations.history``: newest first; metadata only with ``include_all_metadata``."""
    channel = app_channel(ctx, args.need("channel"))
    rows = [row for row in ctx.state.messages(channel.id) if _between(args, row)]
    return _page(ctx, args, [row for row in reversed(rows) if row.thread_ts in (None, row.ts)])


def replies(ctx: Context, args: Args) -> Json:
    """``conversations.replies``: a thread, its parent first."""
    channel = app_channel(ctx, args.need("channel"))
    ts = args.need("ts")
    rows = [row for row in ctx.state.messages(channel.id) if ts in (row.ts, row.thread_ts)]
    if not rows:
        raise Refused("thread_not_found")
    return _page(ctx, args, rows)


METHODS: dict[str, Method] = {
    "conversations.info": info,
    "conversations.list": listed,
    "conversations.members": members,
    "conversations.open": opened,
    "conversations.history": history,
    "conversations.replies": replies,
}
