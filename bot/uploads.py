"""Files for Slack: an address is asked for, the bytes are sent there, the upload is completed."""

from __future__ import annotations

from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import CALL_SECONDS, Lost, answered


async def send_bytes(client: AsyncWebClient, name: str, data: bytes) -> str:
    """Return Slack's id of a file whose bytes it has; nobody sees it before it is completed.

    Raises:
        Limited, Denied, Lost: as any call; an upload whose answer is lost is made anew.
    """
    place = await answered(client.files_getUploadURLExternal(filename=name, length=len(data)))
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(place["upload_url"], data=data) as sent,
        ):
            if sent.status != 200:
                raise Lost(f"the upload answers {sent.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        raise Lost(type(problem).__name__) from None
    return str(place["file_id"])


async def complete(
    client: AsyncWebClient, file_id: str, title: str, *, channel: str = "", comment: str = ""
) -> None:
    """Complete an upload; in a channel, if one is given, the file is shown with a comment.

    Raises:
        Limited, Denied, Lost: as any call.
    """
    shown: dict[str, Any] = {"channel_id": channel, "initial_comment": comment} if channel else {}
    files: list[dict[str, str | None]] = [{"id": file_id, "title": title}]
    await answered(client.files_completeUploadExternal(files=files, **shown))
