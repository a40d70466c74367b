"""The carriers of the channels over HTTP, a few of each, so that one slow call holds up few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from services.delivery.carrier import Carrier
from services.delivery.http.calling import Rest
from services.delivery.http.contents import Contents
from services.delivery.http.sms import Gateway, SmsCarrier
from services.delivery.http.webhook import Ends, WebhookCarrier
from services.delivery.settings import DeliverySettings
from shared.service import Runtime
from topics.delivery import Channel

WORKERS: Final = 4


def further_carriers(runtime: Runtime) -> Mapping[Channel, Sequence[Carrier]]:
    """Return what carries the channels besides e-mail in this process; nothing if it sends none."""
    settings = cast("DeliverySettings", runtime.settings)
    if settings.sender_connections == 0:
        return {}
    found: dict[Channel, Sequence[Carrier]] = {}
    if settings.sms_gateway_url is not None:
        gateway = Gateway(Contents(runtime.pool), Rest())
        widths = _widths(settings.sms_gateway_connections)
        found[Channel.SMS] = [SmsCarrier(runtime, gateway, width=one) for one in widths]
    ends = Ends(Contents(runtime.pool))
    widths = _widths(settings.webhook_connections)
    found[Channel.WEBHOOK] = [WebhookCarrier(runtime, ends, width=one) for one in widths]
    return found


def _widths(connections: int) -> list[int]:
    """Share connections out among the workers."""
    workers = min(WORKERS, connections)
    return [connections // workers + (i < connections % workers) for i in range(workers)]
