"""The mail catcher as one of an instance's servers."""

from collections.abc import Mapping

import aiohttp

from deploy.embedded.paths import make_folder, require_space
from deploy.embedded.ports import HOST, accepts
from deploy.embedded.python import module_environment, run_module
from deploy.embedded.server import EmbeddedServer, Launch

_MIN_FREE_BYTES = 64 * 1024 * 1024


class EmbeddedMail(EmbeddedServer):
    """An SMTP server that keeps every mail, with a page and a JSON interface to look at them.

    Args:
        folder: its folder; ``data`` inside holds the mails.
        ports: ports to insist on (``smtp``, ``http``).
    """

    name = "The mail catcher"
    port_names = ("smtp", "http")
    start_seconds = 30.0
    stop_seconds = 10.0
    passing = ("address already in use", "Address already in use")

    @property
    def smtp_port(self) -> int:
        """The port that takes mails."""
        return self.port("smtp")

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"http://{HOST}:{self.port('http')}"

    async def prepare(self, ports: Mapping[str, int]) -> Launch:
        """Make the data folder; the catcher runs on this very Python."""
        require_space(self.folder, min_free_bytes=_MIN_FREE_BYTES)
        data = make_folder(self.folder / "data")
        command = (
            *(*run_module("deploy.embedded.mail"), "--host", HOST),
            *("--smtp-port", str(ports["smtp"]), "--http-port", str(ports["http"])),
            *("--data", str(data)),
        )
        return Launch(command, cwd=self.folder, env=module_environment())

    async def answers(self) -> bool:
        """Return whether both sides answer."""
        if not accepts(self.port("smtp")):
            return False
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.url}/api/count") as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
