"""Uploading a file in three steps: ask for an address, send the bytes, complete."""

from pathlib import Path

from deploy.embedded.slack.calls import Args, Context, Method, Refused, refused_arguments
from deploy.embedded.slack.methods.channels import app_channel
from deploy.embedded.slack.methods.chat import post
from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Content, Json, StoredFile


def file_path(state: State, file: StoredFile) -> Path:
    """Return where a file's bytes lie; the name is reduced to its last part."""
    return state.folder / "files" / file.id / (Path(file.name).name or "file")


def get_upload_url(ctx: Context, args: Args) -> Json:
    """``files.getUploadURLExternal``."""
    name, length = args.need("filename"), args.number("length", 0)
    if length <= 0:
        raise refused_arguments("missing required field: length")
    file = ctx.state.put_file(StoredFile(id=ctx.state.make_id("F"), name=name, length=length))
    return {"file_id": file.id, "upload_url": f"{ctx.url}/upload/{file.id}"}


def store_bytes(path: Path, content: bytes) -> None:
    """Write an uploaded file; blocking, so that a server calls it in a thread."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def mark_uploaded(state: State, file: StoredFile, length: int) -> None:
    """Remember that the bytes of an announced file are there."""
    state.put_file(file.model_copy(update={"uploaded": True, "length": length}))


def _complete(state: State, named: object) -> StoredFile:
    if not isinstance(named, dict) or named.get("id") not in state.rows.files:
        raise Refused("file_not_found")
    file = state.rows.files[named["id"]]
    if not file.uploaded:
        raise Refused("file_not_found")
    title = str(named.get("title") or file.name)
    return state.put_file(file.model_copy(update={"completed": True, "title": title}))


def complete_upload(ctx: Context, args: Args) -> Json:
    """``files.completeUploadExternal``: shares the files where a channel is named."""
    state = ctx.state
    named = args.decoded("files", error="invalid_arguments")
    if not isinstance(named, list) or not named:
        raise refused_arguments("missing required field: files")
    where = args.text("channel_id") or args.text("channels")
    channels = [app_channel(ctx, name) for name in where.split(",") if name]
    files = [_complete(state, item) for item in named]
    for channel in channels:
        content = Content(text=args.text("initial_comment"))
        ids = [file.id for file in files]
        post(ctx, channel, content, file_ids=ids, thread_ts=args.text("thread_ts") or None)
    for file in files:
        state.put_file(file.model_copy(update={"channels": [c.id for c in channels]}))
    return {"files": [{"id": file.id, "title": file.title} for file in files]}


def info(ctx: Context, args: Args) -> Json:
    """``files.info``: what kind of file it is stands there only once Slack has looked at it.

    Here that takes one call: the first after the upload finds it unfinished, as Slack's own often
    is.
    """
    file = ctx.state.rows.files.get(args.need("file"))
    if file is None or not file.completed:
        raise Refused("file_not_found")
    shown: Json = {"id": file.id, "name": file.name, "title": file.title, "size": file.length}
    if file.settled:
        shown |= {"mimetype": "image/png" if file.name.endswith(".png") else "text/plain"}
    ctx.state.put_file(file.model_copy(update={"settled": True}))
    return {"file": shown}


METHODS: dict[str, Method] = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": info,
}
