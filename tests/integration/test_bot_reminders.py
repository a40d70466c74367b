"""Reminders by direct message: in people's hours, each once; who left blocks nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.embedded.slack import render_text
from tests.conftest import Open
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    SUPERVISOR,
    BotStory,
    telling,
)
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.delivery import ApprovalOutcome, ApprovalReminded, ApprovalState


def reminded(state: ApprovalState, number: int = 1) -> ApprovalReminded:
    return ApprovalReminded(
        campaign_id=state.campaign_id,
        approval_id=state.approval_id,
        revision=state.revision,
        number=number,
        deadline_at=state.deadline_at,
        reviewer_ids=state.reviewer_ids,
    )


async def outcomes(story: BotStory) -> dict[str, str]:
    rows = await story.runtime.pool.fetch("SELECT operator_id, outcome FROM reminders")
    return {row["operator_id"]: row["outcome"] for row in rows}


async def settled(story: BotStory) -> dict[str, str]:
    """Wait until every reminder was sent or dropped; return what became of each."""

    async def all_done() -> bool:
        return all((await outcomes(story)).values())

    await eventually(all_done, what="the reminders being settled")
    return await outcomes(story)


REVIEWER_ID, SUPERVISOR_ID = (
    str(one.operator_id) for one in (samples.REVIEWER, samples.SUPERVISOR)
)


async def test_each_reviewer_is_reminded_once_in_their_language(story: BotStory) -> None:
    state = samples.an_approval()
    await story.hear(state, reminded(state), reminded(state))
    assert await settled(story) == {REVIEWER_ID: "sent", SUPERVISOR_ID: "sent"}
    english = render_text(await story.people.wait_for_message("Reminder 1", REVIEWER))
    assert "Who else can answer: @U0SUPERVIS1" in english
    french = render_text(await story.people.wait_for_message("Rappel 1", SUPERVISOR))
    assert "il reste" in french
    await story.quiet()
    assert len(await story.people.messages(REVIEWER)) == 1


async def test_slacks_locale_decides_the_language_of_what_one_is_told(story: BotStory) -> None:
    await story.people.change_member(REVIEWER, locale="fr-CA")
    state = samples.an_approval()
    await story.hear(state, reminded(state))
    await story.people.wait_for_message("Rappel 1", REVIEWER)
    ack = await story.people.slash(REVIEWER, "/campaign", "list")
    assert "Il n’y a pas encore de campagne" in str(ack.payload)


async def test_who_is_not_at_work_or_asked_for_quiet_is_reminded_later(
    open_service: Open, tmp_path: Path
) -> None:
    hours = {"REMINDER_HOURS": "9-18", "REMINDER_DAYS": "1-7"}
    async with telling(open_service, tmp_path, "socket", **hours) as story:
        now = datetime.now(UTC)
        # A zone in which it is three in the night; the sign of these names is turned round.
        night = f"Etc/GMT{(now.hour - 3 + 11) % 24 - 11:+d}"
        noon = f"Etc/GMT{(now.hour - 12 + 11) % 24 - 11:+d}"
        await story.people.change_member(REVIEWER, tz=night)
        await story.people.change_member(SUPERVISOR, tz=noon, snoozed=True)
        state = samples.an_approval()
        await story.hear(state, reminded(state))

        async def put_off() -> bool:
            count = await story.runtime.pool.fetchval(
                "SELECT count(*) FROM reminders WHERE next_at > now() + interval '10 minutes'"
                " AND done_at IS NULL"
            )
            return bool(count == 2)

        await eventually(put_off, what="both being put off")
        assert await story.people.messages(REVIEWER) == []
        # Morning comes; the one who snoozed is awake.
        await story.people.change_member(SUPERVISOR, snoozed=False)
        await story.people.change_member(REVIEWER, tz=noon)
        await story.runtime.pool.execute("UPDATE slack_people SET zone = $1", noon)
        await story.runtime.pool.execute("UPDATE reminders SET next_at = now()")
        assert set((await settled(story)).values()) == {"sent"}
        await story.people.wait_for_message("Reminder 1", REVIEWER)


async def test_a_reviewer_who_left_is_named_to_the_rest_and_blocks_nothing(
    story: BotStory,
) -> None:
    await story.people.change_member(REVIEWER, deleted=True)
    state = samples.an_approval()
    await story.hear(state, reminded(state))
    assert await settled(story) == {REVIEWER_ID: "has left", SUPERVISOR_ID: "sent"}
    told = render_text(await story.people.wait_for_message("Rappel 1", SUPERVISOR))
    assert "Robin Clarke (n’est plus là)" in told
    await story.people.wait_for_message("Robin Clarke (has left)", CHANNEL)
    assert not any("none of its reviewers" in m.text for m in await story.people.messages(MANAGER))


async def test_when_all_reviewers_have_left_who_asked_is_told_once(story: BotStory) -> None:
    await story.people.change_member(REVIEWER, deleted=True)
    supervisor = samples.SUPERVISOR.model_copy(update={"active": False, "version": 2})
    await story.hear(supervisor)
    state = samples.an_approval()
    await story.hear(state, reminded(state))
    assert set((await settled(story)).values()) == {"has left"}
    told = await story.people.wait_for_message("none of its reviewers can give it", MANAGER)
    assert "Robin Clarke (has left), Dominique Leroy (has left)" in render_text(told)
    await story.hear(reminded(state, 2))
    await settled(story)
    await story.quiet()
    assert len(await story.people.messages(MANAGER)) == 1


async def test_a_reminder_that_nobody_needs_any_more_is_not_sent(
    open_service: Open, tmp_path: Path
) -> None:
    async with telling(open_service, tmp_path, "socket") as story:
        state = samples.an_approval()
        await story.people.rate_limit("dnd.info", times=50, retry_after=1)
        await story.hear(state, reminded(state), reminded(state, 2))
        decided = state.model_copy(
            update={"outcome": ApprovalOutcome.APPROVED, "version": 2, "decided_at": samples.NOW}
        )
        await story.hear(decided)
        await story.people.no_faults()
        assert "sent" not in (await settled(story)).values()
        assert await story.people.messages(REVIEWER) == []


async def test_slack_that_limits_or_loses_answers_delays_a_reminder_only(story: BotStory) -> None:
    await story.people.rate_limit("users.info", retry_after=1)
    await story.people.lose_answers("dnd.info")
    await story.people.fail("dnd.info", "internal_error")
    state = samples.an_approval(deadline_at=datetime.now(UTC) + timedelta(days=2))
    await story.hear(state, reminded(state))
    assert set((await settled(story)).values()) == {"sent"}
    await story.people.wait_for_message("Reminder 1", REVIEWER)
