"""Run the mail catcher: ``python -m deploy.embedded.mail --smtp-port … --http-port … --data …``."""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

import uvloop
from aiohttp import web

from deploy.embedded.mail.smtp import CatchAll, serve_smtp
from deploy.embedded.mail.store import MailStore
from deploy.embedded.mail.web import application


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded.mail", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the kept mails")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    store = MailStore(arguments.data / "mails.sqlite3")
    catcher = CatchAll(store)
    runner = web.AppRunner(application(store, catcher), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        smtp = await serve_smtp(catcher, arguments.host, arguments.smtp_port)
        await web.TCPSite(runner, arguments.host, arguments.http_port).start()
        await ended.wait()
        smtp.close()
    finally:
        await runner.cleanup()
        store.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    # Below WARNING the SMTP library logs addresses.
    logging.basicConfig(level=logging.WARNING)
    uvloop.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
