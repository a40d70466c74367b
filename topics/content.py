"""What is noticed in a message's content before it is approved."""

from __future__ import annotations

from pydantic import Field

from topics.message import Value


class ContentWarning(Value):
    """Something to look at in a message before it is approved; nothing is refused for it.

    The two sentences say the same and hold nothing of a recipient's.
    """

    code: str = Field(min_length=1, max_length=40)
    text: str = Field(max_length=500)
    text_fr: str = Field(max_length=500)
