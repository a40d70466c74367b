"""Events that are sent while their template is published anew are each wholly of one version."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import orjson
import pytest

from services.delivery import ambiguous
from services.delivery.mail import message_id
from tests.faults.delivery.receiver import Manners
from tests.faults.events.center import SERVICES, Center
from tests.faults.world import FROM_ADDRESS, manager
from tests.waiting import eventually
from topics.delivery import SaveTemplate, TemplateState
from topics.event_templates import PublishEventTemplate
from topics.events import RouteEventType

pytestmark = [
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
]
VERSIONS: Final = 20
EVENTS: Final = 120
KILLED_AT: Final = {6: "events_status", 12: "delivery"}
_ROWS: Final = """
SELECT e.event_id, e.status, e.template_version, e.content_hash, v.content_hash AS published
FROM events_status.events e
LEFT JOIN events_status.event_template_versions v ON v.event_type = e.event_type
    AND v.channel = e.channel AND v.version = e.template_version
WHERE e.event_type = $1
"""


@dataclass
class Editor:
    """Somebody who saves a template again and again, and publishes it.

    Attributes:
        numbers: by content hash, which number stands in each part of the message.
    """

    made: Center
    event_type: str = field(default_factory=lambda: f"order.edited-{uuid4().hex[:8]}")
    template_id: UUID = field(default_factory=uuid4)
    numbers: dict[str, int] = field(default_factory=dict)

    async def save(self, number: int) -> str:
        """Save the template with a number in each part; return the content's hash."""
        said = await self.made.door.execute(
            SaveTemplate(
                template_id=self.template_id,
                actor=manager,
                label="Edited",
                subject=f"V{number} of {{{{ ctx.order }}}}",
                body=f"<p>V{number}: {{{{ ctx.order }}}}</p>",
                text=f"V{number}: {{{{ ctx.order }}}}",
                from_address=FROM_ADDRESS,
            )
        )
        [state] = [one for one in said if isinstance(one, TemplateState)]
        self.numbers[state.content_hash] = number
        return state.content_hash

    async def publish(self, number: int) -> None:
        """Save and publish; wait until it is what events are sent with."""
        content = await self.save(number)
        command = (
            RouteEventType(event_type=self.event_type, template_id=self.template_id, actor=manager)
            if number == 1
            else PublishEventTemplate(event_type=self.event_type, actor=manager)
        )

        async def published() -> bool:
            # It may come before the content is known there: then it is asked again.
            await self.made.rig.send(command)
            return bool(
                await self.made.rig.value(
                    "SELECT EXISTS (SELECT 1 FROM events_status.event_template_versions"
                    " WHERE event_type = $1 AND content_hash = $2)",
                    *(self.event_type, content),
                )
            )

        await eventually(published, what=f"version {number}")


async def push(made: Center, editor: Editor, over: asyncio.Event) -> None:
    """Push events until the last version is published, and some after it."""
    number = 0
    async with made.client() as client:
        while number < EVENTS or not over.is_set():
            number += 1
            body = {
                "type": editor.event_type,
                "email": f"edited{number}@people.example",
                "ctx": {"order": str(number)},
            }
            answer = await client.post("/api/v1/events/realtime", content=orjson.dumps(body))
            assert answer.status_code == 202, answer.text
            await asyncio.sleep(0.02)


def version_of(content: bytes) -> set[str]:
    """Return the numbers that stand in a mail's subject and parts."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
    assert len(parts) == 2
    return set(re.findall(r"V(\d+)", " ".join([mail["subject"], *parts])))


async def test_each_event_is_sent_wholly_with_the_version_it_names(made: Center) -> None:
    made.receiver.behave(Manners(slow_share=0.2), made.receiver.chance)
    contents = made.receiver.contents = {}
    editor, over = Editor(made), asyncio.Event()
    await made.mend()
    await editor.publish(1)
    pushing = asyncio.create_task(push(made, editor, over))
    try:
        for number in range(2, VERSIONS + 1):
            if number in KILLED_AT:
                made.rig.workers[KILLED_AT[number], 1].kill()
                made.start(KILLED_AT[number])
            await editor.publish(number)
    finally:
        over.set()
    await pushing

    async def ended() -> bool:
        async with made.door.uow.begin() as work:
            await ambiguous.assume_sent(work)
        rows = await made.rig.rows(_ROWS, editor.event_type)
        return bool(rows) and {row["status"] for row in rows} == {"sent"}

    await eventually(ended, what="the events being sent")
    made.receiver.contents = None
    rows = await made.rig.rows(_ROWS, editor.event_type)
    used = set[int]()
    for row in rows:
        number = editor.numbers[row["content_hash"]]
        assert row["published"] == row["content_hash"]
        for content in contents.get(message_id(row["event_id"], row["event_id"], FROM_ADDRESS), []):
            assert version_of(content) == {str(number)}, f"event of version {number}"
            used.add(number)
    assert len(used) > VERSIONS / 2, f"only versions {used} were sent with"
    await made.rig.drained(*SERVICES)
