"""When a draft differs from what is published, and when publishing it makes another version."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from services.events_status.domain import Draft, Published

MINE, OTHER = uuid4(), uuid4()


@pytest.mark.parametrize(
    ("template", "content", "live", "differs", "to_publish"),
    [
        (MINE, "a", None, False, True),
        (MINE, None, None, False, True),
        (MINE, "a", Published(MINE, 1, "a"), False, False),
        (MINE, "b", Published(MINE, 1, "a"), True, True),
        (OTHER, "a", Published(MINE, 1, "a"), True, True),
        # A version that is not pinned follows its template: publishing pins it.
        (MINE, "b", Published(MINE, 1, None), False, True),
        (MINE, None, Published(MINE, 1, None), False, False),
        (OTHER, "b", Published(MINE, 1, None), True, True),
    ],
)
def test_a_draft_beside_what_is_published(
    template: UUID,
    content: str | None,
    live: Published | None,
    *,
    differs: bool,
    to_publish: bool,
) -> None:
    draft = Draft(template, content, live)
    assert (draft.differs, draft.to_publish) == (differs, to_publish)
