"""Where a router's files may be put: a folder of its own, or its server, known by its key."""

from __future__ import annotations

import re
from typing import Final

from topics.supplier import Handover, SftpServer

_FOLDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")
_REMOTE: Final = re.compile(r"/?[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[?[0-9A-Fa-f:]+\]?")
_HOST_KEY: Final = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]+={0,2}( [ -~]*)?"
)
Problem = tuple[str, str]
"""The field to mend, and why."""


def handover_problem(
    handover: Handover, folder: str, sftp: SftpServer | None, pattern: str
) -> Problem | None:
    """Return what stands against handing files over so; ``None`` when nothing does.

    Where files of many campaigns meet, their names tell the runs apart: none replaces another.
    """
    if handover in (Handover.ATTACHED, Handover.LINK):
        return _not_needed(folder, sftp)
    if "{run}" not in pattern:
        return "file_pattern", "files of all campaigns meet there: put {run} into the name"
    if handover is Handover.FOLDER:
        return _folder(folder, sftp)
    return _sftp(folder, sftp)


def _not_needed(folder: str, sftp: SftpServer | None) -> Problem | None:
    if folder or sftp:
        field = "folder" if folder else "sftp"
        return field, "files are mailed: choose the handover folder or sftp, or leave this out"
    return None


def _folder(folder: str, sftp: SftpServer | None) -> Problem | None:
    if sftp:
        return "sftp", "files go into a folder: leave the server out"
    if not _FOLDER.fullmatch(folder) or ".." in folder:
        return "folder", "name one folder: letters, digits, blanks, points, hyphens, underscores"
    return None


def _sftp(folder: str, sftp: SftpServer | None) -> Problem | None:
    if sftp is None:
        return "sftp", "name the server: host, port, username, host_key"
    if folder and (not _REMOTE.fullmatch(folder) or ".." in folder.split("/")):
        return "folder", "write a path of the server such as in/campaigns, without .."
    if not _HOST.fullmatch(sftp.host):
        return "sftp", "the host is a name or an address, without port or path"
    if not _HOST_KEY.fullmatch(sftp.host_key):
        return "sftp", "host_key is one line as OpenSSH writes it, such as ssh-ed25519 AAAA…"
    if not sftp.username.isprintable() or " " in sftp.username:
        return "sftp", "the username has no blanks"
    return None
