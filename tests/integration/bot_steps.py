"""Cases of the campaign form: its steps, their fields, and the figures that come into them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from deploy.embedded.slack import Ephemeral, View
from tests.integration.bot_deeds import Deed, Kind, Screen
from tests.integration.bot_story import BotStory, opened_form, saved_form, taken
from tests.integration.test_bot_forms import ACTOR, CHOICES, COUNTS, FIRST, LAST
from topics.budget import EstimateCost
from topics.campaign import CampaignRefused, CreateCampaign, OpenCampaignForm
from topics.stock import EstimateStock
from topics.targeting import CountTarget, SaveTargeting, TargetCounted

TARGETING: Final = UUID(int=11)
CRITERIA: Final = {"country": "FR", "postal_code": "75", "segment": "gold", "language": "fr"}
BUDGETED: Final = {"budget": "Marketing 2026"}


async def named(story: BotStory, _who: str) -> View:
    return await opened_form(story)


async def aimed(story: BotStory, who: str) -> View:
    return await taken(story, await named(story, who), "campaign_target", FIRST)


async def means(story: BotStory, who: str) -> View:
    """Show the last step, the target counted."""
    form = await aimed(story, who)
    last = await taken(story, form, "campaign_means", {"targeting": str(TARGETING)})
    campaign_id = UUID(last.private_metadata)
    counted = TargetCounted(campaign_id=campaign_id, targeting_id=TARGETING, counts=COUNTS)
    await story.hear(counted)
    return await story.people.wait_for_view(who, contains="1 opted out")


async def unsaved(story: BotStory, who: str) -> Ephemeral:
    """Show that a campaign could not be saved."""
    await saved_form(story, await opened_form(story), {"label": "Spring"})
    (create,) = await story.emitted(CreateCampaign)
    refused = CampaignRefused(
        campaign_id=create.campaign_id,
        command="CreateCampaign",
        reason="this program is over",
        field="program_id",
        actor=ACTOR,
    )
    await story.hear(refused)
    return await story.people.wait_for_ephemeral(who, "this program is over")


def _deed(kind: Kind, name: str, screen: Screen, **more: Any) -> Deed:
    return Deed(kind, name, screen=screen, world=CHOICES, **more)


def _picked(name: str, screen: Screen, option: str, **more: Any) -> Deed:
    return _deed(Kind.ACTION, name, screen, typed=option, picks=True, **more)


def _offers(screen: Screen, **words: str) -> tuple[Deed, ...]:
    return tuple(
        _deed(Kind.OPTIONS, name, screen, typed=word, tells=word) for name, word in words.items()
    )


STEPS: Final = (
    _deed(
        Kind.VIEW,
        "campaign_new",
        named,
        values=FIRST,
        wrong=(FIRST | {"label": "  "}, "label", "needs a label"),
        opens="campaign_target",
    ),
    _deed(
        Kind.VIEW,
        "campaign_target",
        aimed,
        values={"targeting": None, **CRITERIA},
        wrong=({"targeting": str(TARGETING), "country": "FR"}, "targeting", "not both"),
        opens="campaign_means",
        emits=SaveTargeting,
    ),
    _deed(
        Kind.VIEW,
        "campaign_means",
        means,
        values=LAST,
        wrong=(LAST | {"per_letter": "many"}, "per_letter", "whole number"),
        emits=CreateCampaign,
    ),
    *_offers(named, template="Spring", program="Spring"),
    *_offers(aimed, targeting="Lapsed"),
    *_offers(means, budget="Marketing", models="CALL", service="Letters"),
    *_offers(means, stock="Leaflets", reviewers="Robin"),
    _picked("targeting", aimed, str(TARGETING), emits=CountTarget),
    _picked("budget", means, "Marketing 2026", emits=EstimateCost),
    _picked("models", means, "CALL Call", values=BUDGETED, emits=EstimateCost),
    _picked("service", means, "Letters (Router)", values=BUDGETED, emits=EstimateCost),
    _picked(
        "stock",
        means,
        "Leaflets (Depot)",
        values={"service": "Letters (Router)"},
        emits=EstimateStock,
    ),
    _deed(Kind.ACTION, "form_back", aimed, opens="campaign_new"),
    _deed(Kind.ACTION, "form_reckon", aimed, values=CRITERIA, emits=SaveTargeting),
    _deed(Kind.ACTION, "form_again", unsaved, opens="campaign_new", emits=OpenCampaignForm),
)
