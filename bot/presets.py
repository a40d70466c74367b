"""What a campaign form starts from: another campaign's choices, or what a message says."""

from __future__ import annotations

from uuid import UUID

from bot.blocks import CHOSEN
from bot.choices import Choices
from bot.fields import offered, state_of_choice, state_of_text
from bot.form_reading import MANY, ONE
from bot.limits import Json
from bot.store import BotStore
from topics.campaign import CampaignPlan


async def typed_of(plan: CampaignPlan | None, store: BotStore, choices: Choices) -> Json:
    """Return a plan as a form's fields hold it; what was removed since is left out."""
    if plan is None:
        return {}
    fields: Json = {}
    for block, name in (ONE | MANY).items():
        chosen = getattr(plan, name) or ()
        ids = chosen if isinstance(chosen, tuple) else (chosen,)
        options = await _offered_now(block, ids, store, choices) if ids else []
        if options:
            fields |= state_of_choice(block, options[:CHOSEN], many=block in MANY)
    each = plan.stock_quantity_per_letter
    texts = {"label": plan.label, "description": plan.description, "per_letter": each}
    for block, text in texts.items():
        fields |= state_of_text(block, str(text)) if text else {}
    return fields


async def _offered_now(
    block: str, ids: tuple[UUID, ...], store: BotStore, choices: Choices
) -> list[Json]:
    if block == "reviewers":
        people = await store.people(map(str, ids))
        return offered((one.operator_id, one.name) for one in people.values())
    return offered((one.id, one.label) for one in await choices.named(block, ids))
