"""Blocks and views the tests send: a modal with every kind of field used, and a proof card."""

from typing import Any

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "Hello", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(action_id: str = "go", text: str = "Go", **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), **more}


def actions(*elements: Json, **more: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def option(text: str, value: str | None = None) -> Json:
    return {"text": plain(text), "value": value or text.lower()}


def field(block_id: str, element: Json, **more: Any) -> Json:
    label = plain(block_id.title())
    return {"type": "input", "block_id": block_id, "label": label, "element": element, **more}


def campaign_modal() -> Json:
    return {
        "type": "modal",
        "callback_id": "new_campaign",
        "notify_on_close": True,
        "title": plain("New campaign"),
        "submit": plain("Create"),
        "blocks": [
            field("label", {"type": "plain_text_input", "action_id": "label_input"}),
            field(
                "targeting",
                {"type": "external_select", "action_id": "targeting", "min_query_length": 0},
                dispatch_action=True,
            ),
            field("start", {"type": "datepicker", "action_id": "start_input"}, optional=True),
        ],
    }


def approval_card(name: str) -> list[Json]:
    return [
        {"type": "header", "text": plain(f"Proof of {name}")},
        section("*1 203* recipients", fields=[mrkdwn("*Budget*\n1 200 €"), mrkdwn("*Stock*\n40")]),
        {"type": "context", "elements": [mrkdwn("Asked by <@U0MANAGER01>")]},
        actions(
            button("approve", "Approve", value=name, style="primary"),
            button("reject", "Reject", value=name, style="danger"),
            block_id="decision",
        ),
    ]
