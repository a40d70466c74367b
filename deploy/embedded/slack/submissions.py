"""What the app's answer to a submitted modal does: close it, change it, or show its errors."""

from collections.abc import Callable

from deploy.embedded.slack.calls import Refused
from deploy.embedded.slack.methods.views import changed_view, push
from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Ack, Json, View, ViewStatus

TROUBLE = "We had some trouble connecting. Try again?"


def settle_submission(state: State, view: View, ack: Ack) -> Ack:
    """Apply an answer; return the ack with a ``problem`` where Slack would not take it."""
    current = state.rows.views[view.id]
    if current.status is not ViewStatus.OPEN:
        return ack
    if not ack.acknowledged:
        state.put_view(current.model_copy(update={"errors": {"": TROUBLE}}))
        return ack
    answer = ack.payload or {}
    kind = answer.get("response_action")
    try:
        _ACTIONS.get(kind, _unknown)(state, current, answer)
    except Refused as refusal:
        state.put_view(current.model_copy(update={"errors": {"": TROUBLE}}))
        messages = refusal.extra.get("response_metadata", {}).get("messages", [])
        why = "; ".join([refusal.error, *messages])
        return ack.model_copy(update={"problem": f"Slack refuses the answer: {why}"})
    return ack


def _close(state: State, view: View, answer: Json) -> None:
    if answer:
        raise Refused("an answer to a submission is empty or has a response_action")
    depth = [open_view.id for open_view in state.stack(view.user)].index(view.id)
    state.close_views(view.user, keep=depth)


def _clear(state: State, view: View, _answer: Json) -> None:
    state.close_views(view.user, keep=0)


def _errors(state: State, view: View, answer: Json) -> None:
    errors = answer.get("errors")
    inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise Refused(f"errors must name input blocks; there are: {', '.join(sorted(inputs))}")
    state.put_view(view.model_copy(update={"errors": errors}))


def _update(state: State, view: View, answer: Json) -> None:
    state.put_view(changed_view(state, view, answer.get("view")))


def _push(state: State, view: View, answer: Json) -> None:
    push(state, view.user, answer.get("view"))


def _unknown(_state: State, _view: View, answer: Json) -> None:
    raise Refused(f"unknown response_action {answer.get('response_action')!r}")


_ACTIONS: dict[str | None, Callable[[State, View, Json], None]] = {
    None: _close,
    "clear": _clear,
    "errors": _errors,
    "update": _update,
    "push": _push,
}
