"""The ``views.*`` methods: modals opened by a trigger, changed, stacked; the Home tab."""

import json
from typing import Any

from deploy.embedded.slack.blocks import check_view
from deploy.embedded.slack.calls import Args, Context, Method, Refused, refused_arguments
from deploy.embedded.slack.inputs import initial_values
from deploy.embedded.slack.methods.chat import with_ids
from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Json, View, ViewStatus

VIEW_BYTES = 250_000
STACKED_VIEWS = 3


def _checked(given: Any, kind: str) -> Json:
    if not isinstance(given, dict):
        raise refused_arguments("missing required field: view")
    faults = check_view(given)
    if not faults and given["type"] != kind:
        faults = [f"must be of type {kind} [json-pointer:/view/type]"]
    if faults:
        raise refused_arguments(*faults)
    if len(json.dumps(given).encode()) > VIEW_BYTES:
        raise Refused("view_too_large")
    return given


def _external_id_is_free(state: State, given: Json, *, but: str | None = None) -> None:
    external_id = given.get("external_id")
    for view in state.rows.views.values():
        taken = view.status is ViewStatus.OPEN and view.given.get("external_id") == external_id
        if external_id and taken and view.id != but:
            raise Refused("duplicate_external_id")


def _hash(state: State) -> str:
    return f"{state.next_ts()}.{state.make_id('')}"


def new_view(state: State, given: Any, user: str, *, below: View | None = None) -> View:
    """Return a new modal of a user, checked as Slack checks it; not yet shown."""
    checked = _checked(given, "modal")
    _external_id_is_free(state, checked)
    view_id = state.make_id("V")
    whole = {**checked, "blocks": with_ids(checked["blocks"], state.make_id)}
    return View(
        id=view_id,
        user=user,
        given=whole,
        hash=_hash(state),
        root_view_id=below.root_view_id if below else view_id,
        previous_view_id=below.id if below else None,
        values=initial_values(whole["blocks"]),
    )


def changed_view(state: State, view: View, given: Any) -> View:
    """Return a view with new content; what the user had typed stays where the block stays."""
    checked = _checked(given, str(view.given["type"]))
    _external_id_is_free(state, checked, but=view.id)
    whole = {**checked, "blocks": with_ids(checked["blocks"], state.make_id)}
    values = initial_values(whole["blocks"])
    for block_id, actions in view.values.items():
        for action_id, value in actions.items():
            if action_id in values.get(block_id, {}):
                values[block_id][action_id] = value
    return view.model_copy(
        update={
            "given": whole,
            "hash": _hash(state),
            "values": values,
            "errors": {},
            "versions": view.versions + 1,
        }
    )


def shown(state: State, view: View) -> Json:
    """Return a view as the Web API and the payloads show it."""
    app = state.seed.app
    plain = {"private_metadata": "", "callback_id": "", "external_id": ""}
    modal = {"clear_on_close": False, "notify_on_close": False, "submit": None, "close": None}
    given = {**plain, **(modal if view.given["type"] == "modal" else {}), **view.given}
    return {
        **given,
        "id": view.id,
        "team_id": state.seed.team_id,
        "state": {"values": view.values},
        "hash": view.hash,
        "root_view_id": view.root_view_id,
        "previous_view_id": view.previous_view_id,
        "app_id": app.app_id,
        "app_installed_team_id": state.seed.team_id,
        "bot_id": app.bot_id,
    }


def opened(ctx: Context, args: Args) -> Json:
    """``views.open``: a modal for whoever the trigger belongs to."""
    state = ctx.state
    given = _checked(args.decoded("view", error="invalid_arguments"), "modal")
    user = ctx.triggers.take(args.need("trigger_id"))
    view = new_view(state, given, user)
    state.close_views(user, keep=0)
    return {"view": shown(state, state.push_view(view))}


def pushed(ctx: Context, args: Args) -> Json:
    """``views.push``: a modal on top of the one open, three at most."""
    state = ctx.state
    given = _checked(args.decoded("view", error="invalid_arguments"), "modal")
    user = ctx.triggers.take(args.need("trigger_id"))
    return {"view": shown(state, push(state, user, given))}


def push(state: State, user: str, given: Any) -> View:
    """Put a modal on top of what a user has open and return it."""
    stack = state.stack(user)
    if not stack:
        raise Refused("not_found")
    if len(stack) >= STACKED_VIEWS:
        raise Refused("push_limit_reached")
    return state.push_view(new_view(state, given, user, below=stack[-1]))


def _to_update(state: State, args: Args) -> View:
    view_id, external_id = args.text("view_id"), args.text("external_id")
    if view_id and external_id:
        raise refused_arguments("Cannot provide both `view_id` and `external_id`")
    if not (view_id or external_id):
        raise refused_arguments("missing required field: view_id")
    for view in state.rows.views.values():
        named = view.id == view_id or (external_id and view.given.get("external_id") == external_id)
        if named and view.status is ViewStatus.OPEN:
            return view
    raise Refused("not_found")


def updated(ctx: Context, args: Args) -> Json:
    """``views.update``: new content for an open view; ``hash`` refuses a stale writer."""
    view = _to_update(ctx.state, args)
    given = args.decoded("view", error="invalid_arguments")
    if args.text("hash") and args.text("hash") != view.hash:
        raise Refused("hash_conflict")
    changed = changed_view(ctx.state, view, given)
    return {"view": shown(ctx.state, ctx.state.put_view(changed))}


def published(ctx: Context, args: Args) -> Json:
    """``views.publish``: a user's Home tab."""
    state = ctx.state
    user = args.need("user_id")
    if user not in state.rows.people:
        raise Refused("user_not_found")
    given = _checked(args.decoded("view", error="invalid_arguments"), "home")
    home = state.home(user)
    if home and args.text("hash") and args.text("hash") != home.hash:
        raise Refused("hash_conflict")
    view = changed_view(state, home, given) if home else _new_home(state, user, given)
    state.rows.homes[user] = view.id
    return {"view": shown(state, state.put_view(view))}


def _new_home(state: State, user: str, given: Json) -> View:
    view_id = state.make_id("V")
    whole = {**given, "blocks": with_ids(given["blocks"], state.make_id)}
    values = initial_values(whole["blocks"])
    return View(
        id=view_id, user=user, given=whole, hash=_hash(state), root_view_id=view_id, values=values
    )


METHODS: dict[str, Method] = {
    "views.open": opened,
    "views.push": pushed,
    "views.update": updated,
    "views.publish": published,
}
