"""Attachments as parts of a mail (RFC 2183), encoded once per content."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from services.delivery.domain.attachments import Attachment

# Neither base64 nor quoted-printable holds a bare "=_".
BOUNDARY: Final = "=_muster_mixed"
_SECTION: Final = 54


def parts_of_files(attachments: Sequence[Attachment], files: Mapping[str, bytes]) -> bytes:
    """Return the parts that follow a mail's text, up to its end; nothing without attachments.

    Raises:
        KeyError: a file is not among those given.
    """
    if not attachments:
        return b""
    parts = [_part(one, files[one.sha256]) for one in attachments]
    return b"".join([*parts, f"\r\n--{BOUNDARY}--\r\n".encode()])


def _part(attachment: Attachment, content: bytes) -> bytes:
    head = (
        f"\r\n--{BOUNDARY}\r\nContent-Type: {attachment.content_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;{_file_name(attachment.name)}\r\n\r\n"
    )
    return head.encode("ascii") + encodebytes(content).rstrip(b"\n").replace(b"\n", b"\r\n")


def _file_name(name: str) -> str:
    """Return a file's name as a parameter: in sections when it is long or not ASCII (RFC 2231)."""
    if name.isascii() and len(name) <= 60 and not set(name) & set('"\\%'):
        return f'\r\n filename="{name}"'
    sections = [""]
    for char in name:
        # A character's octets stay together: programs decode each section alone.
        written = quote(char, safe="")
        if len(sections[-1]) + len(written) > _SECTION:
            sections.append("")
        sections[-1] += written
    if len(sections) == 1:
        return f"\r\n filename*=utf-8''{sections[0]}"
    first, *others = sections
    rest = (f";\r\n filename*{i}*={one}" for i, one in enumerate(others, start=1))
    return f"\r\n filename*0*=utf-8''{first}" + "".join(rest)
