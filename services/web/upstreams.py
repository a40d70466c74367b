"""How web reaches the services: over HTTP, or the same ASGI apps mounted in this process."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx

from services.web.settings import WebSettings

CONNECT_SECONDS: Final = 3.0
# Under uvicorn's own 5 s, so that a kept connection is not one the service just closed.
KEEP_SECONDS: Final = 3.0

Resolve: TypeAlias = Callable[[str], "httpx.AsyncBaseTransport | None"]


class Unreachable(Exception):
    """A service did not answer; the text says which and why, ``status`` what the caller gets."""

    def __init__(self, name: str, why: str, status: int) -> None:
        super().__init__(f"the service {name} {why}")
        self.name = name
        self.status = status


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The services behind web.

    Transports are used without a client: they follow no redirect, keep no cookie and read no
    proxy variable.

    Attributes:
        urls: where each answers.
        timeout_seconds: how long one may stay silent.
        over_http: carries calls to services that ``resolve`` does not know.
        resolve: returns the transport of a service that lives in this process (an
            ``httpx.ASGITransport`` over its app), else ``None``.
    """

    urls: Mapping[str, str]
    timeout_seconds: float
    over_http: httpx.AsyncBaseTransport
    resolve: Resolve = lambda _: None

    @property
    def names(self) -> tuple[str, ...]:
        """The services there are."""
        return tuple(self.urls)

    async def send(
        self,
        name: str,
        method: str,
        raw_path: bytes,
        *,
        headers: list[tuple[bytes, bytes]],
        content: AsyncIterable[bytes] | bytes = b"",
    ) -> httpx.Response:
        """Send a request and return the response, its body still to be read and closed.

        Raises:
            Unreachable: nothing answers, or not in time.
        """
        transport = self.resolve(name) or self.over_http
        request = httpx.Request(
            method,
            httpx.URL(self.urls[name]).copy_with(raw_path=raw_path),
            headers=headers,
            content=content,
            extensions={"timeout": self._timeout},
        )
        try:
            return await transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise Unreachable(name, "is not reachable", 503) from None
        except httpx.TimeoutException:
            raise Unreachable(name, "did not answer in time", 504) from None
        except httpx.TransportError:
            raise Unreachable(name, "broke off before it answered", 502) from None

    @property
    def _timeout(self) -> dict[str, float | None]:
        return httpx.Timeout(self.timeout_seconds, connect=CONNECT_SECONDS).as_dict()

    async def aclose(self) -> None:
        """Close the connections."""
        await self.over_http.aclose()


def open_upstreams(settings: WebSettings, resolve: Resolve | None = None) -> Upstreams:
    """Return the services behind web; connections are opened at the first call."""
    return Upstreams(
        settings.upstream_urls | {"web": "http://web"},
        settings.upstream_timeout_seconds,
        httpx.AsyncHTTPTransport(
            retries=0,
            trust_env=False,
            limits=httpx.Limits(max_connections=200, keepalive_expiry=KEEP_SECONDS),
        ),
        resolve or (lambda _: None),
    )
