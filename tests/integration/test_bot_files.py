"""Long lists as a file among a person's direct messages."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from tests.integration.bot_story import CHANNEL, MANAGER, BotStory
from tests.unit.bot import samples


def rows(folder: Path) -> list[list[str]]:
    """Return the cells of the file that was uploaded last."""
    newest = max((folder / "files").glob("*/*.csv"), key=lambda path: path.stat().st_mtime_ns)
    text = newest.read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


async def test_a_long_list_comes_whole_as_a_file_after_429s(
    story: BotStory, tmp_path: Path
) -> None:
    await story.hear(*(samples.a_campaign(n, label=f"=Spring {n}") for n in range(1001, 1013)))
    await story.hear(samples.a_campaign(1013, label="Autumn"))
    await story.people.slash(MANAGER, "/campaign", "list spring")
    shown = await story.people.wait_for_ephemeral(MANAGER, "C-1012")
    await story.people.rate_limit("files.getUploadURLExternal", retry_after=1)
    ack = await story.people.click(MANAGER, shown, "campaigns_file")
    await story.people.redeliver(ack)
    await story.people.wait_for_ephemeral(MANAGER, "among your direct messages")
    sent = await story.people.wait_for_message("Campaigns, as of")
    await story.quiet()
    assert sent.channel.startswith("D")
    assert "12 rows" in sent.text
    (file,) = await story.people.files()
    assert (file.name, file.completed, file.channels) == ("Campaigns.csv", True, [sent.channel])
    titles, *found = rows(tmp_path)
    assert titles[:3] == ["Number", "Label", "State"]
    assert [row[0] for row in found] == [f"C-{n}" for n in range(1012, 1000, -1)]
    assert {row[1][:8] for row in found} == {"'=Spring"}
    assert await story.people.messages(CHANNEL) == []


async def test_a_file_that_slack_refuses_is_told_and_a_short_list_offers_none(
    story: BotStory,
) -> None:
    few = [samples.a_budget(label=f"Budget {n:02}") for n in range(3)]
    await story.hear(*few)
    await story.people.slash(MANAGER, "/budget")
    short = await story.people.wait_for_ephemeral(MANAGER, "Budget 02")
    assert "budget_file" not in str(short.content.blocks)
    await story.hear(*(samples.a_budget(label=f"Budget {n:02}") for n in range(3, 12)))
    await story.people.slash(MANAGER, "/budget")
    shown = await story.people.wait_for_ephemeral(MANAGER, "Budget 09")
    await story.people.fail("files.completeUploadExternal", "access_denied")
    await story.people.click(MANAGER, shown, "budget_file")
    await story.people.wait_for_ephemeral(MANAGER, "could not be sent")
