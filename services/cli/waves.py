"""``muster campaign waves``: a campaign's e-mails leave in parts."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError

from services.campaign.store.campaigns import CampaignStore
from services.cli.campaigns import AsJson, Which, Who, change, find_campaign
from shared.errors import Refused
from shared.http import carry_out
from shared.service import Runtime
from topics.campaign import CampaignPlan, EditCampaign
from topics.cloudevents import describe
from topics.message import Actor
from topics.waves import Waves, WaveUnit

app = typer.Typer()
_PERIOD: Final = re.compile(r"(\d+)([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


@app.command()
def waves(
    campaign: Which,
    operator: Who,
    size: Annotated[str | None, typer.Option(help="of each wave: 5000, or 25% of all")] = None,
    every: Annotated[str | None, typer.Option(help="from wave to wave: 30m, 2h or 1d")] = None,
    date: Annotated[
        list[str] | None, typer.Option(help="a wave of a calendar: '2026-12-01 09:00 20%'")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="send all at once")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a campaign's e-mails leave in equal waves, or by a calendar in its zone."""

    async def set_waves(actor: Actor, runtime: Runtime) -> UUID:
        campaign_id = await find_campaign(runtime, campaign)
        async with runtime.uow.begin() as work:
            found = await CampaignStore(work.connection).find(campaign_id)
        zone = ZoneInfo(found.zone if found else runtime.settings.muster_zone)
        wanted = Waves() if none else waves_from(size, every, date or [], zone)
        plan = CampaignPlan(waves=wanted)
        await carry_out(runtime, EditCampaign(campaign_id=campaign_id, actor=actor, plan=plan))
        return campaign_id

    change(operator, set_waves, as_json=as_json)


def waves_from(size: str | None, every: str | None, dates: list[str], zone: ZoneInfo) -> Waves:
    """Return the waves that options say; what contradicts itself, the campaign refuses.

    Raises:
        Refused: a word is no size, period or date, or sizes are of two units.
    """
    parted = [one.rpartition(" ") for one in dates]
    sizes = [one for one in (size, *(last for _, _, last in parted)) if one is not None]
    if len({one.endswith("%") for one in sizes}) > 1:
        raise Refused("give all sizes in per cent, or none", field="waves")
    fields: dict[str, Any] = {
        "unit": WaveUnit.PERCENT if sizes and sizes[0].endswith("%") else WaveUnit.MESSAGES,
        "size": size.removesuffix("%") if size is not None else None,
        "period_minutes": _minutes(every) if every is not None else None,
        "calendar": [
            {"at": _date(at, zone), "size": one.removesuffix("%")} for at, _, one in parted
        ],
    }
    try:
        return Waves.model_validate(fields)
    except ValidationError as problem:
        raise Refused(describe(problem), field="waves") from None


def _minutes(words: str) -> int:
    found = _PERIOD.fullmatch(words)
    if found is None:
        raise Refused(f"{words} is no period; try one like 30m, 2h or 1d", field="waves")
    return int(timedelta(**{_UNITS[found[2]]: int(found[1])}) / timedelta(minutes=1))


def _date(words: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.fromisoformat(words).replace(tzinfo=zone)
    except ValueError:
        reason = f"{words!r} is no date; try one like '2026-12-01 09:00 20%'"
        raise Refused(reason, field="waves") from None
