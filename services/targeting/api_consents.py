"""The HTTP routes of consent. Addresses stand in bodies, never in a URL, which servers log."""

from __future__ import annotations

from fastapi import APIRouter

from services.targeting.access import check
from services.targeting.consents import Address, ConsentState, NewConsent, held, recorded
from shared.http import Caller, Here
from shared.rights import Right

router = APIRouter()


@router.post("/consents/find")
async def find(body: Address, actor: Caller, runtime: Here) -> ConsentState:
    """Return the consent of an address."""
    await check(runtime, actor, Right.READ)
    return await held(runtime, body)


@router.put("/consents")
async def record(body: NewConsent, actor: Caller, runtime: Here) -> ConsentState:
    """Note that somebody opted out, or in again, now."""
    return await recorded(runtime, body, actor)
