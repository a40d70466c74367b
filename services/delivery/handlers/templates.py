"""Templates: checked when they are saved, so that a broken one never reaches a proof."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.delivery.approving import withdraw
from services.delivery.content.kitchen import KITCHEN
from services.delivery.domain.attachments import Attachment, why_not
from services.delivery.domain.channels import misfit
from services.delivery.domain.content import Source, content_hash
from services.delivery.domain.tracking import Switch
from services.delivery.lettering import check_letter
from services.delivery.mail import is_address
from services.delivery.rendering import BadTemplate
from services.delivery.seeding import why_no_seeds
from services.delivery.store.attachments import AttachmentStore
from services.delivery.store.causes import first_time
from services.delivery.store.deliveries import Delivery, DeliveryStore
from services.delivery.store.templates import TemplateStore
from services.delivery.store.webhooks import EndpointStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.delivery import Channel, DeliveryPrepared, SaveTemplate, TemplateRefused, TemplateState
from topics.message import Actor

registry = Registry()


def _refused(command: SaveTemplate, refusal: Refused) -> TemplateRefused:
    return TemplateRefused(
        template_id=command.template_id,
        actor=command.actor,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveTemplate, refusal=_refused)
async def save_template(command: SaveTemplate, work: Work) -> None:
    """Save a template; deliveries over it get the new content, and lose their approval."""
    await require(work, command.actor, Right.MANAGE_TEMPLATES)
    if unfit := misfit(command):
        raise Refused(unfit[1], field=unfit[0])
    await _check_endpoint(command, work)
    _check_addresses(command)
    source = Source(
        language=command.language,
        subject=command.subject,
        body=command.body,
        mjml=command.mjml,
        text=command.text,
        from_name=command.from_name,
        from_address=command.from_address,
        attachments=await _attachments(command, work),
        switches=frozenset(switch for switch in Switch if getattr(command, switch)),
        letter=command.letter.strip(),
        letter_window=command.letter_window,
        send_doubles=command.send_doubles,
        channel=command.channel,
        endpoint=command.endpoint,
    )
    try:
        # An author's template may take all time and memory there is: it is tried in a child.
        content = await asyncio.to_thread(KITCHEN.prepare, source)
        await check_letter(source, work.now)
    except BadTemplate as problem:
        raise Refused(problem.reason, field=problem.field) from None
    if not await first_time(work):
        return
    templates = TemplateStore(work.connection)
    await templates.keep_content(source.template_hash, content)
    version = await templates.save(command, source, work.now)
    work.emit(
        TemplateState(
            version=version,
            template_id=command.template_id,
            label=command.label,
            language=command.language,
            subject=command.subject,
            content_hash=source.template_hash,
            channel=source.channel,
        )
    )
    for delivery in await DeliveryStore(work.connection).lock_over(command.template_id):
        await _renew(work, delivery, source, command.actor)


async def _attachments(command: SaveTemplate, work: Work) -> tuple[Attachment, ...]:
    found = tuple(Attachment(one.name, one.content_type, one.sha256) for one in command.attachments)
    sizes = await AttachmentStore(work.connection).sizes({one.sha256 for one in found})
    if reason := why_not(found, sizes):
        raise Refused(reason, field="attachments")
    return found


async def _check_endpoint(command: SaveTemplate, work: Work) -> None:
    if command.channel is not Channel.WEBHOOK:
        return
    if await EndpointStore(work.connection).find(command.endpoint) is None:
        raise Refused("is not registered; an administrator can add it", field="endpoint")


def _check_addresses(command: SaveTemplate) -> None:
    if command.channel is Channel.EMAIL and not is_address(command.from_address):
        raise Refused("is no e-mail address such as news@example.org", field="from_address")
    if any(ord(char) < ord(" ") for char in command.from_name):
        raise Refused("holds a line break or a control character", field="from_name")
    if reason := why_no_seeds(command.seeds):
        raise Refused(reason, field="seeds")
    for i, address in enumerate(command.proof_recipients):
        if not is_address(address):
            raise Refused(f"number {i + 1} is no e-mail address", field="proof_recipients")


async def _renew(work: Work, delivery: Delivery, source: Source, by: Actor) -> None:
    """Give a delivery its template's new content, unless it is on its way already."""
    if delivery.template_hash == source.template_hash:
        return
    deliveries = DeliveryStore(work.connection)
    if await deliveries.has_started(delivery.delivery_id):
        return
    changed = replace(
        delivery,
        template_hash=source.template_hash,
        content_hash=content_hash(source.template_hash, delivery.supplier_service_id),
    )
    await deliveries.save(changed)
    work.emit(prepared(changed, send_doubles=source.send_doubles))
    await withdraw(work, delivery.campaign_id, "its template was edited", by=by)


def prepared(delivery: Delivery, *, send_doubles: bool) -> DeliveryPrepared:
    """Return the event that says what a delivery's content is now."""
    return DeliveryPrepared(
        campaign_id=delivery.campaign_id,
        delivery_id=delivery.delivery_id,
        template_id=delivery.template_id,
        content_hash=delivery.content_hash,
        send_doubles=send_doubles,
    )
