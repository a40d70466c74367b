"""Which of several events makes a call fail is found by halving."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from services.events_status.enrichment.connector import Answers, Asked, Failure, NoAnswers

Ask = Callable[[Sequence[Asked]], Awaitable[Answers]]


async def answers_of(ask: Ask, events: Sequence[Asked]) -> Answers:
    """Return what a service says of each event, or why it says nothing.

    One event that makes each call fail in which it is harms itself alone. Where both halves fail
    the trouble is the service's: it is not asked about each event then, and all of them failed.
    """
    found: Answers = {}
    left: Sequence[Asked] = events
    problem = await _tried(ask, events, found)
    while problem is not None and problem.divisible and len(left) > 1:
        middle = len(left) // 2
        halves = [left[:middle], left[middle:]]
        problems = [await _tried(ask, half, found) for half in halves]
        failed = [(half, why) for half, why in zip(halves, problems, strict=True) if why]
        if len(failed) == len(halves):
            break
        left, problem = failed[0] if failed else ([], None)
    if problem is not None:
        found |= {one.event_id: Failure(problem.reason) for one in left}
    return found


async def _tried(ask: Ask, events: Sequence[Asked], found: Answers) -> NoAnswers | None:
    """Add what a call brings to what is found; return its problem instead, if it has one."""
    try:
        found.update(await ask(events))
    except NoAnswers as problem:
        return problem
    return None
