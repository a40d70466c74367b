"""A real IMAP server for a test: Debian's dovecot in a folder of its own, on a free port."""

from __future__ import annotations

import asyncio
import getpass
import grp
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from deploy.embedded.ports import accepts, free_port
from tests.waiting import eventually

PROGRAM: Final = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOBODY: Final = 65_534
PASSWORD: Final = "a-password-of-a-test"
_CONFIG: Final = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
first_valid_uid = 0
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


class Dovecot:
    """A running server and its one mailbox."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.new = folder / "mail" / "new"

    def deliver(self, *mails: bytes) -> None:
        """Put mails into the mailbox as a delivery agent does (maildir)."""
        waiting = self.folder / "mail" / "tmp"
        for mail in mails:
            name = f"{os.urandom(8).hex()}.test"
            (waiting / name).write_bytes(mail)
            (waiting / name).chmod(0o644)
            (waiting / name).rename(self.new / name)

    def left(self) -> int:
        """Return how many mails are in the mailbox."""
        return sum(1 for _ in self._files())

    def _files(self) -> Iterator[Path]:
        for part in ("new", "cur"):
            yield from (self.folder / "mail" / part).iterdir()


@asynccontextmanager
async def dovecot() -> AsyncIterator[Dovecot]:
    """Run a server until the block ends."""
    assert PROGRAM is not None
    # Paths of sockets must be short, and as root the mailbox belongs to nobody: dovecot serves no
    # mail of root, who keeps pytest's own folders closed.
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    server = Dovecot(folder, free_port())
    config = _lay_out(server)
    process = await asyncio.create_subprocess_exec(PROGRAM, "-F", "-c", str(config))
    try:
        await eventually(lambda: accepts(server.port), what="dovecot")
        yield server
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(folder)


def _lay_out(server: Dovecot) -> Path:
    """Write a server's folders and configuration; return the latter's path."""
    folder, user, root = server.folder, getpass.getuser(), os.getuid() == 0
    folder.chmod(0o755)
    for part in ("", "tmp", "new", "cur"):
        (folder / "mail" / part).mkdir()
        if root:
            os.chown(folder / "mail" / part, NOBODY, NOBODY)
    config = folder / "dovecot.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            user="dovecot" if root else user,
            group="dovecot" if root else grp.getgrgid(os.getgid()).gr_name,
            password=PASSWORD,
            uid=NOBODY if root else os.getuid(),
            gid=NOBODY if root else os.getgid(),
            port=server.port,
        )
    )
    return config
