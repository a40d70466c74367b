"""Scripted misbehaviour of the catcher: slowness, refusals, broken connections, by rule.

A percentage is drawn from the rule's seed, the recipient and how often the rule met that
recipient, not from the order of arrival: the same rules hit the same mails in every run.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Action(StrEnum):
    """What a rule does to a mail it hits."""

    DELAY = "delay"
    """Wait ``delay_seconds`` after the data, then go on to the next rule."""
    REFUSE_RECIPIENT = "refuse_recipient"
    """Answer ``code`` to RCPT TO."""
    REFUSE_MESSAGE = "refuse_message"
    """Answer ``code`` to the data; the mail is not kept."""
    DROP_BEFORE_KEEP = "drop_before_keep"
    """Break the connection after the data; the mail is not kept."""
    DROP_AFTER_KEEP = "drop_after_keep"
    """Keep the mail, then break the connection before the 250: the sender cannot know."""


class FaultRule(BaseModel):
    """One rule. The first rule that hits decides; only ``delay`` lets later ones decide too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    recipient: str = Field("*", description="shell pattern over addresses, case is ignored")
    percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    seed: int = 0
    code: Annotated[int, Field(ge=400, le=599)] = 451
    enhanced: Annotated[str, Field(pattern=r"^[45]\.\d{1,3}\.\d{1,3}$")] | None = Field(
        None, description="RFC 3463's code, such as 5.1.1; without one, that of no detail"
    )
    text: Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] = "Scripted refusal"
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    times: Annotated[int, Field(ge=1)] | None = Field(None, description="hits before it is spent")

    @model_validator(mode="after")
    def _delay_has_a_length(self) -> "FaultRule":
        if self.action is Action.DELAY and self.delay_seconds == 0:
            raise ValueError("a delay needs delay_seconds above 0")
        return self

    @model_validator(mode="after")
    def _codes_agree(self) -> "FaultRule":
        if self.enhanced and self.enhanced[0] != str(self.code)[0]:
            raise ValueError(f"enhanced {self.enhanced} does not go with code {self.code}")
        return self

    @property
    def answer(self) -> str:
        """The SMTP answer of a refusal, with its enhanced code (RFC 3463)."""
        enhanced = self.enhanced or f"{self.code // 100}.0.0"
        return f"{self.code} {enhanced} {self.text}"


class FaultScript(BaseModel):
    """The rules in force, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[FaultRule, ...] = ()


class FaultPlayer:
    """Decides for each mail which rules of a script hit; remembers how often each did."""

    def __init__(self, script: FaultScript | None = None) -> None:
        self.script = script or FaultScript()
        self.hits = [0] * len(self.script.rules)
        self._met: Counter[tuple[int, str]] = Counter()

    def at_recipient(self, recipient: str) -> FaultRule | None:
        """Return the rule that refuses this recipient, None when he is accepted."""
        for index, rule in enumerate(self.script.rules):
            if rule.action is Action.REFUSE_RECIPIENT and self._strikes(index, rule, recipient):
                return rule
        return None

    def at_data(self, recipients: Sequence[str]) -> list[FaultRule]:
        """Return the rules that hit this mail: delays, then at most one that ends it."""
        hit: list[FaultRule] = []
        for index, rule in enumerate(self.script.rules):
            if rule.action is Action.REFUSE_RECIPIENT:
                continue
            if any(self._strikes(index, rule, recipient) for recipient in recipients):
                hit.append(rule)
                if rule.action is not Action.DELAY:
                    break
        return hit

    def _strikes(self, index: int, rule: FaultRule, recipient: str) -> bool:
        address = recipient.lower()
        spent = rule.times is not None and self.hits[index] >= rule.times
        if spent or not fnmatchcase(address, rule.recipient.lower()):
            return False
        self._met[index, address] += 1
        if _draw(rule.seed, address, self._met[index, address]) >= rule.percent:
            return False
        self.hits[index] += 1
        return True


def _draw(seed: int, address: str, nth: int) -> float:
    """Return a number from 0 (included) to 100 (excluded) that depends on nothing else."""
    digest = hashlib.sha256(f"{seed}\n{address}\n{nth}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100
