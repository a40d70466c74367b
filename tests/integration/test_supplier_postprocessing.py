"""Post-processing as a workflow of its own: made with its file, listed, stopped, resumed, ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.catcher import EmbeddedMail
from services.supplier.app import SERVICE
from services.supplier.instances import registry
from services.supplier.reporting import take_in
from services.workflows.app import SERVICE as WORKFLOWS
from shared.registry import answer
from tests.conftest import Open
from tests.integration.supplier_story import Story, a_catcher
from tests.unit.actions.samples import MANAGER, REVIEWER
from topics.message import Actor, Message, system_actor
from topics.supplier import Ending, PostProcessingRecorded
from topics.workflows import (
    Control,
    ControlWorkflow,
    WorkflowRefused,
    WorkflowState,
    WorkflowStatus,
)

SUPERVISOR = system_actor("supplier")
COLUMNS = ("reference", "recipient", "town")


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMail]:
    with a_catcher(tmp_path_factory.mktemp("catcher")) as server:
        yield server


@pytest.fixture
async def story(open_service: Open, catcher: EmbeddedMail, tmp_path: Path) -> Story:
    environment = {"SMTP_PORT": str(catcher.smtp_port), "SUPPLIER_FILES": str(tmp_path / "files")}
    return Story(await open_service(SERVICE, **environment))


async def states(story: Story) -> list[WorkflowState]:
    return [one for one in await story.emitted(WorkflowState) if one.instance_of]


async def control(story: Story, name: str, what: Control, actor: Actor) -> list[Message]:
    """Handle a control as the instances' own consumer does; return what it emitted."""
    entry = registry.entry(ControlWorkflow)
    assert entry is not None
    async with story.runtime.uow.begin() as work:
        await answer(entry, ControlWorkflow(name=name, control=what, actor=actor), work)
        return list(work.emitted)


async def test_a_post_processing_starts_with_its_file_and_ends_at_confirmation(
    story: Story,
) -> None:
    await story.prepare()
    await story.extract(4)
    (made,) = await states(story)
    assert (made.status, made.instance_of) == (WorkflowStatus.STARTED, "supplierMgt")
    assert made.name.startswith("postProcessing-C1042-")
    assert "C-1042" in made.label
    assert made.ended_at is None
    await story.finish()
    last = (await states(story))[-1]
    assert last.name == made.name
    assert last.ended_at is not None
    assert last.version > made.version
    async with story.caller() as http:
        job = (await http.get(f"/jobs/{(await story.job())['file_id']}")).json()
    assert (job["post_processing"], job["post_processing_status"]) == (made.name, "ended")
    (gone,) = await control(story, made.name, Control.START, SUPERVISOR)
    assert isinstance(gone, WorkflowRefused)


async def test_a_stopped_one_takes_nothing_over_and_goes_on_where_it_was(story: Story) -> None:
    await story.prepare(ending=Ending.RESULTS, columns=COLUMNS)
    await story.extract(4)
    name = (await states(story))[0].name
    (no,) = await control(story, name, Control.STOP, REVIEWER)
    assert isinstance(no, WorkflowRefused)
    assert no.code == "not_allowed"
    (stopped,) = await control(story, name, Control.STOP, SUPERVISOR)
    assert isinstance(stopped, WorkflowState)
    assert stopped.status is WorkflowStatus.STOPPED
    await story.finish()
    assert await story.state() == "notified"
    await control(story, name, Control.START, SUPERVISOR)
    await story.finish()
    assert await story.state() == "awaiting_results"
    await control(story, name, Control.PAUSE, SUPERVISOR)
    file_id = (await story.job())["file_id"]
    content = b"reference,status\n1,sent\n2,sent\n3,sent\n4,failed\n"
    await take_in(story.runtime, file_id, content, MANAGER)
    await story.finish()
    assert (await story.job())["sent"] == 0
    again = await control(story, name, Control.PAUSE, SUPERVISOR)
    assert [type(one) for one in again] == [WorkflowRefused]
    await control(story, name, Control.RESUME, SUPERVISOR)
    await story.finish()
    assert await story.state() == "post_processed"
    assert (await story.job())["sent"] == 3
    assert len(await story.emitted(PostProcessingRecorded)) == 1
    await story.check()


async def test_a_file_that_is_refused_has_none_and_another_name_is_nobody_s(story: Story) -> None:
    await story.extract(2)
    assert await story.state() == "refused"
    assert await states(story) == []
    assert await control(story, "deliveryMgt", Control.STOP, SUPERVISOR) == []


async def test_it_is_in_the_catalogue_until_it_ends(story: Story, open_service: Open) -> None:
    await story.prepare()
    await story.extract(4)
    (made,) = await states(story)
    catalogue = await open_service(WORKFLOWS)
    listed = "SELECT count(*) FROM catalogue WHERE name = $1"
    await catalogue.execute(made)
    assert await catalogue.pool.fetchval(listed, made.name) == 1
    await story.finish()
    await catalogue.execute((await states(story))[-1])
    assert await catalogue.pool.fetchval(listed, made.name) == 0
