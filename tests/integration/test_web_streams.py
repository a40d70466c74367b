"""Real sockets: bodies pass through the edge piece by piece, in both directions."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

from deploy.embedded.ports import free_port
from shared.http import serve
from tests.conftest import Open
from tests.integration.web_edge import open_edge
from tests.waiting import PATIENCE, eventually


class Pieces:
    """A service that takes a body piece by piece, and gives one that a test holds back."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.received = 0
        self.go_on = asyncio.Event()
        self.app.post("/api/v1/targeting/up")(self.up)
        self.app.get("/api/v1/targeting/down")(self.down)

    async def up(self, request: Request) -> int:
        async for piece in request.stream():
            self.received += len(piece)
        return self.received

    async def down(self) -> Response:
        async def answer() -> AsyncIterator[bytes]:
            yield b"first"
            await self.go_on.wait()
            yield b"last"

        return StreamingResponse(answer())


@asynccontextmanager
async def served(app: FastAPI, port: int, **client: ssl.SSLContext) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(serve(app, host="127.0.0.1", port=port, stop=stop))
    scheme = "https" if client else "http"
    async with httpx.AsyncClient(verify=client.get("verify", True)) as probe:

        async def up() -> bool:
            try:
                return (await probe.get(f"{scheme}://127.0.0.1:{port}/health")).status_code > 0
            except httpx.TransportError:
                return False

        await eventually(up, what="the server being up")
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


@asynccontextmanager
async def calling(open_service: Open, service: Pieces) -> AsyncIterator[httpx.AsyncClient]:
    port, public = free_port(), free_port()
    urls = f"targeting=http://127.0.0.1:{port}"
    async with (
        open_edge(open_service, SERVICE_URLS=urls) as edge,
        served(service.app, port),
        served(edge.app, public),
    ):
        headers = await edge.headers()
        url = f"http://127.0.0.1:{public}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, headers=headers) as client:
            yield client


async def test_a_large_body_passes_while_it_is_still_being_sent(open_service: Open) -> None:
    service, piece, pieces = Pieces(), b"x" * 1_048_576, 24

    async def body() -> AsyncIterator[bytes]:
        yield piece
        await eventually(lambda: service.received, what="the first piece being with the service")
        for _ in range(pieces - 1):
            yield piece

    async with calling(open_service, service) as client:
        answer = await client.post("/api/v1/targeting/up", content=body())
    assert answer.text == str(pieces * len(piece))


async def test_an_answer_passes_while_it_is_still_being_made(open_service: Open) -> None:
    service = Pieces()
    async with (
        calling(open_service, service) as client,
        client.stream("GET", "/api/v1/targeting/down") as answer,
    ):
        pieces = answer.aiter_raw()
        async with asyncio.timeout(PATIENCE):
            assert await anext(pieces) == b"first"
            service.go_on.set()
            assert await anext(pieces) == b"last"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


async def test_web_speaks_tls_with_its_certificate(open_service: Open, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    trust = ssl.create_default_context(cafile=str(certificate))
    trust.check_hostname = False
    async with (
        open_edge(open_service, WEB_TLS_CERTIFICATE=str(certificate), WEB_TLS_KEY=str(key)) as edge,
        served(edge.app, port, verify=trust),
        httpx.AsyncClient(verify=trust) as client,
    ):
        answer = await client.get(f"https://127.0.0.1:{port}/health/live")
        assert answer.text == "live\n"
