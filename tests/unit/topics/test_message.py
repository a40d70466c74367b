"""Messages: their names, that each is declared once, and what an actor claims."""

from __future__ import annotations

from uuid import uuid4

import pytest
from pydantic import ValidationError

from topics.message import Actor, Command, Via, message_type, message_types, system_actor
from topics.names import TARGETING_COMMANDS
from topics.targeting import CountTarget


def test_a_type_is_named_after_its_area_class_and_version() -> None:
    assert CountTarget.ce_type == "muster.targeting.count_target.v1"
    assert CountTarget.ce_schema == "/schemas/muster.targeting.count_target.v1.json"
    assert message_type(CountTarget.ce_type) is CountTarget


def test_a_second_message_of_a_name_is_refused_at_import() -> None:
    before = message_types()
    with pytest.raises(TypeError, match=r"two messages are called muster\.targeting\.count_target"):
        type(
            "CountTarget",
            (Command,),
            {"__module__": __name__},
            topic=TARGETING_COMMANDS,
            key="id",
        )
    assert message_types() == before


def test_messages_are_frozen_and_closed() -> None:
    command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
    with pytest.raises(ValidationError, match="frozen"):
        command.targeting_id = uuid4()  # type: ignore[misc]  # what must fail
    with pytest.raises(ValidationError, match="Extra inputs"):
        CountTarget.model_validate({**command.model_dump(), "colour": "red"})


def test_the_key_is_the_fields_text() -> None:
    command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
    assert command.partition_key == str(command.campaign_id)


@pytest.mark.parametrize(
    ("actor", "system"),
    [
        (system_actor("campaign"), True),
        (Actor(id="system:campaign", via=Via.WEB), False),
        (Actor(id="jane", via=Via.SYSTEM), False),
    ],
)
def test_only_a_system_id_through_the_system_door_is_a_service(
    actor: Actor, *, system: bool
) -> None:
    assert actor.is_system is system
