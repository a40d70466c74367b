"""The topic catalogue: retentions, dead letters, and that every message has its place in it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from topics.catalogue import catalogue
from topics.message import Command, Message, State
from topics.names import (
    CHANGELOGS,
    INBOX_MARGIN,
    SNAPSHOTS,
    TOPICS,
    Topic,
    all_topics,
)

MESSAGES = list(catalogue().values())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_inbox_remembers_longer_than_the_topic(topic: Topic) -> None:
    if topic.retention is None:
        assert topic.compacted
        assert topic.inbox_retention >= timedelta(days=30) + INBOX_MARGIN
    else:
        assert topic.inbox_retention >= topic.retention + timedelta(days=1)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.ce_type)
def test_every_message_has_a_listed_topic_and_a_key(kind: type[Message]) -> None:
    assert kind.topic in TOPICS
    assert kind.key_field in kind.model_fields
    assert not kind.topic.intake, "outside producers must not be able to send our messages"


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.ce_type)
def test_commands_states_and_topics_belong_together(kind: type[Message]) -> None:
    assert issubclass(kind, State) == (kind.topic.compacted)
    if ".commands." in kind.topic.name:
        assert issubclass(kind, Command)


def test_names_are_unique_and_fit_the_broker() -> None:
    names = [topic.name for topic in all_topics()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]{1,200}", name) for name in names)


def test_every_topic_has_its_dead_letters_but_the_changelogs() -> None:
    names = {topic.name for topic in all_topics()}
    for topic in TOPICS:
        assert (f"{topic.name}.dlq" in names) == (topic not in CHANGELOGS)


@pytest.mark.parametrize("topic", CHANGELOGS, ids=lambda topic: topic.name)
def test_a_views_changelog_is_listed_and_compacted(topic: Topic) -> None:
    assert topic in TOPICS
    assert topic.compacted


def test_dead_letters_of_personal_topics_are_personal_and_kept_a_month() -> None:
    letters = SNAPSHOTS.dead_letters
    assert (letters.personal, letters.retention, letters.partitions) == (
        True,
        timedelta(days=30),
        1,
    )


def test_audiences_and_outside_events_are_marked_personal() -> None:
    personal = {topic.name for topic in TOPICS if topic.personal}
    assert personal == {
        "targeting.snapshots.v1",
        "delivery.messages.v1",
        "delivery.batch-messages.v1",
        "supplier.commands.v1",
        "events.realtime.v1",
        "events.batch.v1",
    }
