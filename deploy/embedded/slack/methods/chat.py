"""The ``chat.*`` methods: posting, changing and finding messages."""

from typing import Any

from deploy.embedded.slack.blocks import Surface, check_blocks, elements_of
from deploy.embedded.slack.calls import Args, Context, Method, Refused, refused_blocks
from deploy.embedded.slack.methods.channels import app_channel, shown
from deploy.embedded.slack.schema import complaint
from deploy.embedded.slack.seed import Channel
from deploy.embedded.slack.state import MakeId, State
from deploy.embedded.slack.wire import Content, Ephemeral, Json, Message, Version

TEXT_CHARS = 40_000
ATTACHMENTS = 100


def with_ids(blocks: list[Json], make_id: MakeId) -> list[Json]:
    """Return the blocks with the ``block_id`` and ``action_id`` Slack gives where none is."""
    filled = []
    for block in blocks:
        whole = {**block, "block_id": block.get("block_id") or make_id("b")}
        for path, element in elements_of(whole):
            given = {**element, "action_id": element.get("action_id") or make_id("a")}
            _replace(whole, path, given)
        filled.append(whole)
    return filled


def _replace(block: Json, path: str, element: Json) -> None:
    name, _, index = path.partition("/")
    if index:
        block[name] = [*block[name]]
        block[name][int(index)] = element
    else:
        block[name] = element


def _list(args: Args, name: str, error: str) -> list[Any]:
    value = args.decoded(name, error=error)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(error)
    return value


def _metadata(args: Args) -> Json | None:
    value = args.decoded("metadata", error="invalid_metadata_format")
    if not value:
        return None
    is_event = isinstance(value, dict) and isinstance(value.get("event_type"), str)
    if not is_event or not isinstance(value.get("event_payload"), dict):
        raise Refused("invalid_metadata_schema")
    return {"event_type": value["event_type"], "event_payload": value["event_payload"]}


def _unknown_files(blocks: list[Json], state: State) -> list[str]:
    """Return what Slack says of blocks that show a file it has not, or has not finished."""
    return [
        complaint("invalid slack file", f"/blocks/{index}/slack_file")
        for index, block in enumerate(blocks)
        if "slack_file" in block and not state.is_settled(str(block["slack_file"].get("id")))
    ]


def read_content(args: Args, state: State) -> Content:
    """Return what a call wants to say; refuse it where Slack would."""
    text = args.text("text")
    if len(text) > TEXT_CHARS:
        raise Refused("msg_too_long")
    blocks = _list(args, "blocks", "invalid_blocks_format")
    faults = check_blocks(blocks, Surface.MESSAGE) or _unknown_files(blocks, state)
    if faults:
        raise refused_blocks(faults)
    attachments = _list(args, "attachments", "invalid_attachments")
    if len(attachments) > ATTACHMENTS:
        raise Refused("too_many_attachments")
    if not (text or blocks or attachments):
        raise Refused("no_text")
    return Content(
        text=text,
        blocks=with_ids(blocks, state.make_id),
        attachments=attachments,
        metadata=_metadata(args),
    )


def post(ctx: Context, channel: Channel, content: Content, **more: Any) -> Message:
    """Keep a new message of the app in a channel."""
    state = ctx.state
    return state.put_message(
        Message(
            channel=channel.id,
            ts=state.next_ts(),
            user=state.seed.app.bot_user_id,
            by_app=True,
            versions=[Version(at=state.clock(), content=content)],
            **more,
        )
    )


def post_message(ctx: Context, args: Args) -> Json:
    """``chat.postMessage``."""
    channel = app_channel(ctx, args.need("channel"), open_direct=True)
    content = read_content(args, ctx.state)
    message = post(ctx, channel, content, thread_ts=args.text("thread_ts") or None)
    return {"channel": channel.id, "ts": message.ts, "message": shown(ctx.state, message)}


def _own_message(ctx: Context, channel: Channel, ts: str) -> Message:
    message = ctx.state.message(channel.id, ts)
    if message is None:
        raise Refused("message_not_found")
    return message


def _kept(args: Args, fresh: Content, old: Content) -> Content:
    """Return the new content, with the parts an update leaves out taken from the old one."""
    named = ("text", "blocks", "attachments", "metadata")
    kept = {name: getattr(old, name) for name in named if not args.has(name)}
    return fresh.model_copy(update=kept)


def update(ctx: Context, args: Args) -> Json:
    """``chat.update``: another version of a message the app posted."""
    channel = app_channel(ctx, args.need("channel"))
    message = _own_message(ctx, channel, args.need("ts"))
    if not message.by_app:
        raise Refused("cant_update_message")
    content = _kept(args, read_content(args, ctx.state), message.content)
    version = Version(at=ctx.state.clock(), content=content)
    changed = message.model_copy(update={"versions": [*message.versions, version]})
    ctx.state.put_message(changed)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": content.text,
        "message": shown(ctx.state, changed),
    }


def delete(ctx: Context, args: Args) -> Json:
    """``chat.delete``."""
    channel = app_channel(ctx, args.need("channel"))
    message = _own_message(ctx, channel, args.need("ts"))
    if not message.by_app:
        raise Refused("cant_delete_message")
    ctx.state.put_message(message.model_copy(update={"deleted_at": ctx.state.clock()}))
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(ctx: Context, args: Args) -> Json:
    """``chat.postEphemeral``: for one member of the channel."""
    channel = app_channel(ctx, args.need("channel"), open_direct=True)
    user = args.need("user")
    if ctx.state.rows.people.get(user) is None:
        raise Refused("user_not_found")
    if user not in channel.members:
        raise Refused("user_not_in_channel")
    sent = ctx.state.put_ephemeral(
        Ephemeral(
            channel=channel.id,
            ts=ctx.state.next_ts(),
            user=user,
            content=read_content(args, ctx.state),
            thread_ts=args.text("thread_ts") or None,
        )
    )
    return {"message_ts": sent.ts}


def get_permalink(ctx: Context, args: Args) -> Json:
    """``chat.getPermalink``: an address on the stub's own page."""
    channel = app_channel(ctx, args.need("channel"))
    message = _own_message(ctx, channel, args.need("message_ts"))
    place = f"{ctx.url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": place}


METHODS: dict[str, Method] = {
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": post_ephemeral,
    "chat.getPermalink": get_permalink,
}
