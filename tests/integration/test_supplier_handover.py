"""Files put into a router's folder, or on its server: whole, once, and to nobody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from deploy.embedded.catcher import EmbeddedMail
from services.supplier.app import SERVICE
from tests.conftest import Open
from tests.integration.supplier_story import Story, a_catcher, received
from tests.unit.actions.samples import REVIEWER
from topics.supplier import ExtractionProduced, Handover, SftpServer, SupplierNotified

PATTERN = "{number}-{run}.csv"
PASSWORD = "let-me-in"


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMail]:
    with a_catcher(tmp_path_factory.mktemp("catcher")) as server:
        yield server


@pytest.fixture
def environment(catcher: EmbeddedMail, tmp_path: Path) -> dict[str, str]:
    return {
        "SMTP_PORT": str(catcher.smtp_port),
        "SUPPLIER_FILES": str(tmp_path / "files"),
        "SUPPLIER_OUTBOX": str(tmp_path / "outbox"),
    }


@pytest.fixture
async def story(open_service: Open, environment: dict[str, str]) -> Story:
    return Story(await open_service(SERVICE, **environment))


async def test_a_file_lies_in_its_router_s_folder_before_the_mail_says_so(
    story: Story, catcher: EmbeddedMail, tmp_path: Path
) -> None:
    await story.prepare(handover=Handover.FOLDER, folder="Morel", file_pattern=PATTERN)
    await story.extract(3)
    await story.finish()
    assert await story.state() == "post_processed"
    name = (await story.file()).name
    folder = tmp_path / "outbox" / "Morel"
    assert sorted(one.name for one in folder.iterdir()) == [name, f"{name}.manifest.json"]
    assert (folder / name).read_bytes() == (await story.file()).read_bytes()
    (letter,) = await received(catcher, story.router)
    assert [one["filename"] for one in letter["attachments"]] == [f"{name}.manifest.json"]
    assert "from Morel" in letter["text"]
    await story.check()


async def test_without_an_outbox_the_file_waits_and_says_so(
    open_service: Open, environment: dict[str, str], catcher: EmbeddedMail
) -> None:
    story = Story(
        await open_service(SERVICE, **{k: v for k, v in environment.items() if k[-6:] != "OUTBOX"})
    )
    await story.prepare(handover=Handover.FOLDER, folder="Morel", file_pattern=PATTERN)
    await story.extract(3)
    await story.finish()
    job = await story.job()
    assert (job["state"], job["error"][:15]) == ("file_written", "SUPPLIER_OUTBOX")
    assert await received(catcher, story.router) == []


@dataclass(slots=True)
class Router:
    """A router's SFTP server of this test's own."""

    folder: Path
    port: int
    host_key: str
    user_key: asyncssh.SSHKey

    @property
    def server(self) -> SftpServer:
        return SftpServer(
            host="127.0.0.1", port=self.port, username="muster", host_key=self.host_key
        )

    def names(self) -> list[str]:
        return sorted(one.name for one in (self.folder / "in").iterdir())


class _Door(asyncssh.SSHServer):
    """Lets in who has the password or the key of the one user there is."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._key = key

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - asyncssh names them
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("muster", PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "muster" and key.public_data == self._key.public_data


class _Full(asyncssh.SFTPServer):
    """A server whose disk is full."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:  # noqa: ARG002 - asyncssh names them
        raise asyncssh.SFTPNoSpaceOnFilesystem("full")


class _Plain(asyncssh.SFTPServer):
    """A server without OpenSSH's extensions, which renames onto no file."""

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002 - asyncssh names them
        raise asyncssh.SFTPOpUnsupported("no extensions")

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if self.map_path(newpath) and Path(self.map_path(newpath).decode()).exists():
            raise asyncssh.SFTPFailure("it is there")
        super().rename(oldpath, newpath)


@asynccontextmanager
async def a_router(
    folder: Path, kind: type[asyncssh.SFTPServer] = asyncssh.SFTPServer
) -> AsyncIterator[Router]:
    (folder / "in").mkdir(parents=True)
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))

    def serve(channel: Any) -> asyncssh.SFTPServer:
        return kind(channel, chroot=str(folder).encode())

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Door(user),
        server_host_keys=[host],
        sftp_factory=serve,
        allow_scp=False,
    )
    async with server:
        yield Router(folder, server.get_port(), host.export_public_key().decode().strip(), user)


async def prepare(story: Story, router: Router, secret: str, **more: Any) -> None:
    fields: dict[str, Any] = {
        "handover": Handover.SFTP,
        "folder": "in",
        "sftp": router.server,
        "file_pattern": PATTERN,
    }
    await story.prepare(**fields | more)
    async with story.caller() as http:
        answer = await http.put(f"/services/{story.service_id}/secret", json={"secret": secret})
        assert answer.status_code == 204


@pytest.mark.parametrize("with_key", [False, True])
async def test_a_file_lies_on_its_router_s_server_with_its_manifest(
    story: Story, catcher: EmbeddedMail, tmp_path: Path, with_key: bool
) -> None:
    async with a_router(tmp_path / "router") as router:
        secret = router.user_key.export_private_key().decode() if with_key else PASSWORD
        await prepare(story, router, secret)
        await story.extract(3)
        await story.finish()
        assert await story.state() == "post_processed"
        name = (await story.file()).name
        assert router.names() == [name, f"{name}.manifest.json"]
        assert (router.folder / "in" / name).read_bytes() == (await story.file()).read_bytes()
        note = json.loads((router.folder / "in" / f"{name}.manifest.json").read_bytes())
        assert note["rows"] == 3
    (letter,) = await received(catcher, story.router)
    assert "127.0.0.1:in" in letter["text"]
    assert PASSWORD not in letter["text"]
    await story.check()


async def test_a_server_with_another_key_gets_neither_password_nor_file(
    story: Story, catcher: EmbeddedMail, tmp_path: Path
) -> None:
    async with a_router(tmp_path / "other") as other, a_router(tmp_path / "router") as router:
        swapped = router.server.model_copy(update={"port": other.port})
        await prepare(story, router, PASSWORD, sftp=swapped)
        await story.extract(3)
        await story.finish()
        job = await story.job()
        assert job["state"] == "file_written"
        assert "key is not the saved one" in job["error"]
        assert other.names() == []
        assert await received(catcher, story.router) == []
        await story.runtime.execute(
            story.service(
                handover=Handover.SFTP, folder="in", sftp=router.server, file_pattern=PATTERN
            )
        )
        await story.due_now()
        await story.finish()
        job = await story.job()
        assert "nothing signs in" in job["error"], "what opened one server is not shown to another"
        assert router.names() == []


async def test_a_wrong_password_a_missing_folder_and_a_dead_server_are_told_apart(
    story: Story, tmp_path: Path
) -> None:
    async with a_router(tmp_path / "router") as router:
        await prepare(story, router, "wrong", folder="nowhere")
        await story.extract(3)
        await story.finish()
        assert "does not let us in" in (await story.job())["error"]
        await prepare(story, router, PASSWORD, folder="nowhere")
        await story.due_now()
        await story.finish()
        assert "refused the file (code 2)" in (await story.job())["error"]
    await story.due_now()
    await story.finish()
    job = await story.job()
    assert "cannot be reached" in job["error"]
    assert (job["state"], job["failures"]) == ("file_written", 3)
    assert await story.emitted(SupplierNotified) == []


async def test_a_server_whose_disk_is_full_shows_no_half_file(story: Story, tmp_path: Path) -> None:
    async with a_router(tmp_path / "router", _Full) as router:
        await prepare(story, router, PASSWORD)
        await story.extract(3)
        await story.finish()
        assert "refused the file" in (await story.job())["error"]
        assert not [name for name in router.names() if not name.endswith(".part")]


async def test_a_file_handed_over_again_lies_there_once_also_without_extensions(
    story: Story, catcher: EmbeddedMail, tmp_path: Path
) -> None:
    async with a_router(tmp_path / "router", _Plain) as router:
        await prepare(story, router, PASSWORD)
        await story.extract(3)
        await story.order()
        await story.step()
        await story.order()
        await story.step()
        # Killed before it was noted: the same bytes go there again.
        await story.runtime.pool.execute("UPDATE jobs SET transferred_sha256 = NULL")
        await story.due_now()
        await story.finish()
        name = (await story.file()).name
        assert router.names() == [name, f"{name}.manifest.json"]
        assert len(await story.emitted(ExtractionProduced)) == 1
        assert len(await received(catcher, story.router)) == 1
    await story.check()


async def test_a_secret_is_kept_encrypted_by_who_may_and_never_shown(
    story: Story, tmp_path: Path
) -> None:
    async with a_router(tmp_path / "router") as router:
        await prepare(story, router, PASSWORD)
    kept = await story.runtime.pool.fetchval("SELECT sftp_secret FROM services")
    assert PASSWORD.encode() not in kept
    path = f"/services/{story.service_id}/secret"
    async with story.caller() as http:
        assert PASSWORD not in (await http.get("/services")).text
        wrong = await http.put(path, json={"secret": PASSWORD, "more": 1})
        assert wrong.status_code == 422
        assert PASSWORD not in wrong.text
        assert (
            await http.put(f"/services/{uuid4()}/secret", json={"secret": "x"})
        ).status_code == 404
    async with story.caller(REVIEWER) as http:
        assert (await http.put(path, json={"secret": "x"})).status_code == 403
