"""A single message's sample: what its template makes of a sample ``ctx``, shown or sent to seeds.

It is made as the message of an event would be, by the same rendering of the same content: what is
missing there is missing here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from services.delivery.content.kitchen import KITCHEN
from services.delivery.domain.content import Content
from services.delivery.domain.runs import RunKind
from services.delivery.http.contents import text_alone
from services.delivery.personal import variables
from services.delivery.rendering import BadTemplate, Rendered
from services.delivery.settings import DeliverySettings
from services.delivery.store.ledger import LedgerStore, NewRow
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.templates import Template, TemplateStore
from services.delivery.tracking.personal_links import proof_links
from shared.errors import Refused
from shared.ids import recipient_key
from shared.uow import Work
from topics.delivery import Channel, Seed

PREFIX: Final = "[TEST] "
SOMEBODY: Final = {
    Channel.EMAIL: {"email": "somebody@example.org"},
    Channel.SMS: {"phone": "+33199001234"},
}
"""Whom a preview is for, as far as a single message knows its recipient."""
RETRY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A content and the ``ctx`` that it is to be rendered with."""

    template: Template
    template_hash: str
    content: Content
    ctx: dict[str, Any]


async def sample(
    work: Work, template_id: UUID, content_hash: str | None, ctx: dict[str, Any]
) -> Sample | None:
    """Return a sample of a template's current content, or of one it had; ``None`` without it.

    Raises:
        Refused: no content has the hash.
    """
    templates = TemplateStore(work.connection)
    template = await templates.find(template_id)
    if template is None:
        return None
    chosen = content_hash or template.template_hash
    try:
        content = await templates.content(chosen)
    except KeyError:
        raise Refused("no content has this hash", field="content_hash", code="unknown") from None
    return Sample(template, chosen, content, ctx)


async def rendered(one: Sample, settings: DeliverySettings) -> Rendered:
    """Return a sample as its recipient would get it; of a text message, the text alone.

    Raises:
        Refused: a value is missing or does not fit; the field of the template is named.
    """
    if one.content.channel is not Channel.EMAIL and not one.content.text.strip():
        return Rendered("", "", "")
    try:
        made = await asyncio.to_thread(_render, one, settings)
    except BadTemplate as problem:
        raise Refused(problem.reason, field=problem.field, code="personalisation") from None
    if one.content.channel is Channel.EMAIL:
        return made
    return Rendered("", "", made.text.strip())


def _render(one: Sample, settings: DeliverySettings) -> Rendered:
    merge = {"ctx": one.ctx, "contact": SOMEBODY.get(one.content.channel, {})}
    values = variables(merge, number=None, label="", unsubscribe_url="")
    if one.content.channel is not Channel.EMAIL:
        return KITCHEN.render(text_alone(one.content), values)
    return KITCHEN.render(one.content, values | proof_links(one.content, values, settings))


def seeds_of(one: Sample) -> list[Seed]:
    """Return whom a test of a sample goes to.

    Raises:
        Refused: nobody, or it is no e-mail.
    """
    if one.content.channel is not Channel.EMAIL:
        raise Refused("a test goes to seeds, which e-mail templates alone have", field="channel")
    if not one.template.seeds:
        raise Refused("the template has no seeds that a test could go to", field="seeds")
    return [Seed.model_validate(seed) for seed in one.template.seeds]


async def send_to_seeds(work: Work, one: Sample, test_id: UUID) -> int:
    """Hand a sample to its seeds, once however often it is asked; return how many get it."""
    rows = [_row(work, one, test_id, seed) for seed in seeds_of(one)]
    by_address = {row.recipient_key: row for row in reversed(rows)}
    if await RunStore(work.connection).add(_run(one, test_id, len(by_address), work), work.now):
        await LedgerStore(work.connection).add(list(by_address.values()), work.now)
    return len(by_address)


def _run(one: Sample, test_id: UUID, count: int, work: Work) -> Run:
    return Run(
        run_id=test_id,
        kind=RunKind.TEST,
        state="started",
        campaign_id=None,
        campaign_number=None,
        campaign_label="",
        delivery_id=None,
        template_hash=one.template_hash,
        content_hash=None,
        snapshot_id=None,
        snapshot_hash=None,
        count=count,
        chunks=0,
        filled=True,
        subject_prefix=PREFIX,
        retry_until=work.now + RETRY,
    )


def _row(work: Work, one: Sample, test_id: UUID, seed: Seed) -> NewRow:
    key = recipient_key(work.settings.secret, Channel.EMAIL.value, seed.address)
    return NewRow(
        run_id=test_id,
        member_id=uuid5(test_id, key),
        recipient_key=key,
        address=seed.address,
        merge={"ctx": one.ctx, "contact": {"email": seed.address}},
    )
