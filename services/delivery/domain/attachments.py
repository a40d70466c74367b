"""What may be attached to a message: names, types and sizes that mail servers let through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST: Final = 10
MOST_BYTES: Final = 10 * 1024 * 1024
"""All of a message's files together; a third more in base64, which many servers still take."""
ENDINGS: Final[dict[str, tuple[str, ...]]] = {
    "application/pdf": (".pdf",),
    "application/zip": (".zip",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (".docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (".xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": (".pptx",),
    "application/vnd.oasis.opendocument.text": (".odt",),
    "application/vnd.oasis.opendocument.spreadsheet": (".ods",),
    "image/gif": (".gif",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "text/calendar": (".ics",),
    "text/csv": (".csv",),
    "text/plain": (".txt",),
    "text/vcard": (".vcf",),
}
"""Types that can be attached, with how their files' names end. Nothing that runs."""
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u2028-\u202e\u2066-\u2069]{1,120}")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message: how it is called, what it is, and the SHA-256 of what it holds (hex)."""

    name: str
    content_type: str
    sha256: str


def why_not(attachments: Sequence[Attachment], sizes: Mapping[str, int]) -> str:
    """Return why files cannot be attached, or nothing.

    Args:
        attachments: the files of one message.
        sizes: the bytes of each file that is here, by SHA-256.
    """
    for number, one in enumerate(attachments, start=1):
        if reason := _why_not(one):
            return f"number {number} {reason}"
        if one.sha256 not in sizes:
            return f"number {number} was not uploaded"
    if len({one.name.lower() for one in attachments}) < len(attachments):
        return "two files have the same name"
    if len(attachments) > MOST:
        return f"takes at most {MOST} files"
    total = sum(sizes[one.sha256] for one in attachments)
    if total > MOST_BYTES:
        return f"{total} bytes are too many; all files together may have {MOST_BYTES}"
    return ""


def _why_not(one: Attachment) -> str:
    if not _NAME.fullmatch(one.name) or one.name.startswith(".") or one.name != one.name.strip():
        return "has a name that no file should have"
    if one.content_type not in ENDINGS:
        return f"cannot be attached: it is {one.content_type[:80]}"
    if not one.name.lower().endswith(ENDINGS[one.content_type]):
        ends = " or ".join(ENDINGS[one.content_type])
        return f"has a name for another type; one of its type ends in {ends}"
    return ""
