"""What Slack accepts as blocks and views: pure rules, no state.

The numbers are Slack's published limits; the words of a refusal are those its API answers with.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from deploy.embedded.slack import elements as el
from deploy.embedded.slack.schema import (
    Check,
    any_text,
    anything,
    array,
    boolean,
    by_type,
    complaint,
    either,
    plain_text,
    record,
    string,
)

BLOCKS_PER_MESSAGE = 50
BLOCKS_PER_VIEW = 100
SECTION_CHARS = 3000
BLOCK_ID_CHARS = 255
VIEW_TITLE_CHARS = 24
PRIVATE_METADATA_CHARS = 3000
MARKDOWN_CHARS = 12_000


class Surface(StrEnum):
    """Where blocks are shown."""

    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


def _block(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Check:
    block_id = {"block_id": string(least=1, most=BLOCK_ID_CHARS)}
    return record({"type": anything, **required}, {**block_id, **optional}, rules=rules)


def _input(element: Check) -> Check:
    return _block(
        {"label": plain_text(2000), "element": element},
        {"hint": plain_text(2000), "optional": boolean, "dispatch_action": boolean},
    )


_context_element = by_type(
    {
        **el.IMAGE,
        "plain_text": any_text(SECTION_CHARS),
        "mrkdwn": any_text(SECTION_CHARS),
    }
)
_EVERYWHERE: dict[str, Check] = {
    "section": _block(
        {},
        {
            "text": any_text(SECTION_CHARS),
            "fields": array(any_text(2000), least=1, most=10),
            "accessory": el.in_section,
            "expand": boolean,
        },
        either("text", "fields"),
    ),
    "divider": _block({}, {}),
    "header": _block({"text": plain_text(150)}, {}),
    "image": _block(
        {"alt_text": string(least=1, most=2000)},
        {
            "image_url": string(least=1, most=el.URL_CHARS),
            "slack_file": anything,
            "title": plain_text(2000),
        },
        either("image_url", "slack_file"),
    ),
    "context": _block({"elements": array(_context_element, least=1, most=10)}, {}),
    "actions": _block({"elements": array(el.in_actions, least=1, most=25)}, {}),
    "rich_text": _block({"elements": array(anything)}, {}),
    "video": _block(
        {
            "alt_text": string(least=1),
            "title": plain_text(200),
            "thumbnail_url": string(least=1),
            "video_url": string(least=1),
        },
        {
            "author_name": string(most=50),
            "description": plain_text(200),
            "provider_icon_url": string(),
            "provider_name": string(),
            "title_url": string(),
        },
    ),
}
_CHECKS: dict[Surface, Check] = {
    Surface.MESSAGE: by_type(
        {
            **_EVERYWHERE,
            "input": _input(el.in_input),
            "markdown": _block({"text": string(least=1, most=MARKDOWN_CHARS)}, {}),
            "table": _block(
                {"rows": array(anything, least=1, most=100)}, {"column_settings": anything}
            ),
            "file": _block(
                {"external_id": string(least=1), "source": string(one_of=("remote",))}, {}
            ),
        }
    ),
    Surface.MODAL: by_type({**_EVERYWHERE, "input": _input(el.in_modal_input)}),
    Surface.HOME: by_type({**_EVERYWHERE, "input": _input(el.in_input)}),
}


def elements_of(block: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a block's interactive elements, each with its pointer below the block."""
    found: list[tuple[str, Any]] = [
        (name, block.get(name)) for name in ("accessory", "element") if block.get(name)
    ]
    listed = block.get("elements") if block.get("type") == "actions" else None
    if isinstance(listed, list):
        found += [(f"elements/{index}", element) for index, element in enumerate(listed)]
    return [(path, element) for path, element in found if isinstance(element, dict)]


def _twice_in_block(block: Mapping[str, Any], pointer: str) -> Iterator[str]:
    seen: set[str] = set()
    for path, element in elements_of(block):
        action_id = element.get("action_id")
        if not isinstance(action_id, str):
            continue
        if action_id in seen:
            yield complaint(
                f'`action_id` "{action_id}" already exists for block_id "{block.get("block_id")}"',
                f"{pointer}/{path}/action_id",
            )
        seen.add(action_id)


def _twice(blocks: list[Any], pointer: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        block_id = block.get("block_id")
        if isinstance(block_id, str):
            if block_id in seen:
                where = f"{pointer}/{index}/block_id"
                yield complaint(f'`block_id` "{block_id}" already exists', where)
            seen.add(block_id)
        yield from _twice_in_block(block, f"{pointer}/{index}")


def check_blocks(blocks: object, surface: Surface | str, *, pointer: str = "/blocks") -> list[str]:
    """Return what Slack would refuse in ``blocks`` on ``surface``; an empty list means accepted.

    Each entry reads as in the API's ``errors``: the fault, then ``[json-pointer:…]``.
    """
    where = Surface(surface)
    most = BLOCKS_PER_MESSAGE if where is Surface.MESSAGE else BLOCKS_PER_VIEW
    faults = list(array(_CHECKS[where], most=most)(blocks, pointer))
    if isinstance(blocks, list):
        faults += _twice(blocks, pointer)
    return faults


_COMMON_VIEW: dict[str, Check] = {
    "private_metadata": string(most=PRIVATE_METADATA_CHARS),
    "callback_id": string(most=255),
    "external_id": string(most=255),
}
_view = by_type(
    {
        "modal": record(
            {"type": anything, "title": plain_text(VIEW_TITLE_CHARS), "blocks": anything},
            {
                **_COMMON_VIEW,
                "submit": plain_text(VIEW_TITLE_CHARS),
                "close": plain_text(VIEW_TITLE_CHARS),
                "clear_on_close": boolean,
                "notify_on_close": boolean,
                "submit_disabled": boolean,
            },
        ),
        "home": record({"type": anything, "blocks": anything}, _COMMON_VIEW),
    }
)


def _submit_missing(view: Mapping[str, Any]) -> Iterator[str]:
    blocks = view.get("blocks")
    has_input = isinstance(blocks, list) and any(
        isinstance(block, dict) and block.get("type") == "input" for block in blocks
    )
    if view.get("type") == "modal" and has_input and not view.get("submit"):
        yield complaint(
            "`submit` is required when an `input` block is within blocks array", "/view/submit"
        )


def check_view(view: object) -> list[str]:
    """Return what Slack would refuse in a modal or Home view; an empty list means accepted."""
    faults = list(_view(view, "/view"))
    if not isinstance(view, dict) or view.get("type") not in {"modal", "home"}:
        return faults
    if view.get("blocks") is not None:
        faults += check_blocks(view["blocks"], view["type"], pointer="/view/blocks")
    return [*faults, *_submit_missing(view)]
