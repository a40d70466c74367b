"""The courier: puts a file where its router takes it, whole, and its manifest last.

A file appears under its name only once all its bytes are there, so a router that looks every minute
never takes half of one; the manifest says that everything before it is complete. Done twice, the
same bytes lie there once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncssh

from services.supplier import files
from services.supplier.settings import SupplierSettings
from services.supplier.shelf import Item
from services.supplier.store.services import SupplierService
from shared.sealing import WrongSecret, unseal
from topics.supplier import Handover, SftpServer

Read = Callable[[Item], Awaitable[bytes]]

PURPOSE: Final = "supplier-sftp"
_PRIVATE_KEY: Final = b"-----BEGIN"
# Its log names users and paths.
asyncssh.set_log_level(logging.ERROR)


class NotDelivered(Exception):
    """A file cannot be put there now; the text says what to mend, and holds no secret."""


async def hand_over(
    settings: SupplierSettings,
    service: SupplierService,
    handover: Handover,
    sealed: bytes | None,
    items: Sequence[Item],
    read: Read,
) -> None:
    """Put files into a router's folder or on its server; the last one says that all are there.

    Args:
        settings: where routers' folders are, and how long a server may take.
        service: whose folder or server it is.
        handover: which of both.
        sealed: what signs in to the server.
        items: the files, in order; each is read when its turn comes.
        read: returns a file's bytes.

    Raises:
        NotDelivered: the folder or server cannot be used now; nothing half is left under a name.
    """
    if handover is Handover.FOLDER:
        await _into_folder(settings, service.folder, items, read)
    elif service.sftp is None:
        raise NotDelivered("the service names no server any more: save it with one")
    else:
        secret = _secret(settings, service.service_id, sealed)
        await _onto_server(settings, service, service.sftp, secret, items, read)


async def _into_folder(
    settings: SupplierSettings, folder: str, items: Sequence[Item], read: Read
) -> None:
    root = settings.supplier_outbox
    if root is None or not folder:
        raise NotDelivered("SUPPLIER_OUTBOX or the service names no folder: set both")
    for item in items:
        content = await read(item)
        try:
            await files.on_disk(_put, root, folder, item.name, content)
        except files.DiskProblem as problem:
            where = str(problem).replace("SUPPLIER_FILES", "SUPPLIER_OUTBOX")
            raise NotDelivered(where) from problem


def _put(root: Path, folder: str, name: str, content: bytes) -> None:
    path = files.path_in(root, folder, name)
    sha256 = hashlib.sha256(content).hexdigest()
    if files.read_if_intact(path, sha256) is not None:
        return
    with files.FileWriter(path, sha256[:16], shared=True) as writer:
        writer.write(content)
        writer.place()


def _secret(settings: SupplierSettings, service_id: UUID, sealed: bytes | None) -> bytes:
    if sealed is None:
        raise NotDelivered("nothing signs in to the router's server yet: give a password or key")
    try:
        return unseal(settings.secret, PURPOSE, sealed, bound_to=str(service_id))
    except WrongSecret:
        raise NotDelivered(
            "MUSTER_SECRET_KEY has changed: give the password or key again"
        ) from None


async def _onto_server(
    settings: SupplierSettings,
    service: SupplierService,
    server: SftpServer,
    secret: bytes,
    items: Sequence[Item],
    read: Read,
) -> None:
    try:
        async with (
            asyncio.timeout(settings.supplier_sftp_seconds),
            asyncssh.connect(
                server.host, server.port, options=_options(server, secret)
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            for item in items:
                await _upload(client, service.folder, item.name, await read(item))
    except asyncssh.KeyImportError:
        raise NotDelivered("a key of the router's server cannot be read: give it again") from None
    except asyncssh.HostKeyNotVerifiable:
        raise NotDelivered(
            "the server's key is not the saved one: ask the router, then save the service again"
        ) from None
    except asyncssh.PermissionDenied:
        raise NotDelivered("the router's server does not let us in: give another key") from None
    except asyncssh.SFTPError as problem:
        raise NotDelivered(f"the router's server refused the file (code {problem.code})") from None
    except (asyncssh.Error, OSError, TimeoutError) as problem:
        # The server's own words stay out of rows and logs.
        name = type(problem).__name__
        raise NotDelivered(f"the router's server cannot be reached ({name})") from None


def _options(server: SftpServer, secret: bytes) -> asyncssh.SSHClientConnectionOptions:
    """Return how to sign in: nothing of this host's own keys, agent or configuration is used."""
    is_key = secret.startswith(_PRIVATE_KEY)
    return asyncssh.SSHClientConnectionOptions(
        username=server.username,
        known_hosts=([asyncssh.import_public_key(server.host_key)], [], []),
        client_keys=[asyncssh.import_private_key(secret)] if is_key else None,
        password=None if is_key else secret.decode(),
        agent_path=None,
        config=None,
        gss_host=None,
    )


async def _upload(client: asyncssh.SFTPClient, folder: str, name: str, content: bytes) -> None:
    path = f"{folder.rstrip('/')}/{name}" if folder else name
    draft = f"{path}.part"
    async with client.open(draft, "wb") as remote:
        await remote.write(content)
    if await client.getsize(draft) != len(content):
        raise NotDelivered("the router's server kept only a part of the file")
    try:
        await client.posix_rename(draft, path)
    except asyncssh.SFTPOpUnsupported:
        # Servers without OpenSSH's extension do not rename onto a file.
        with suppress(asyncssh.SFTPNoSuchFile):
            await client.remove(path)
        await client.rename(draft, path)
