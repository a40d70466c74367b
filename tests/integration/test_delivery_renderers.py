"""Renderers reach nothing: a canary server that nobody asks, a canary file that nobody shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from services.delivery.app import SERVICE
from services.delivery.content.styles import inlined
from services.delivery.rendering import BadTemplate, prepare, render
from shared.errors import Refused
from shared.http import carry_out
from tests.conftest import Open
from tests.integration.delivery_harness import Case, add_operators, member
from tests.unit.delivery.test_composing import SOURCE
from tests.unit.delivery.test_kitchen import BOMBS, values


@pytest.fixture
async def canary() -> AsyncIterator[tuple[str, list[str]]]:
    """A server's address, and the paths it was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="p { color: red }", content_type="text/css")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_style_sheets_fonts_and_images_are_not_fetched(
    canary: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = canary
    sheet = tmp_path / "canary.css"
    sheet.write_text("p { color: #abcdef }")
    html = (
        f'<html><head><link rel="stylesheet" href="{url}/a.css">'
        f'<link rel="stylesheet" href="{sheet}"><link rel="stylesheet" href="file://{sheet}">'
        f"<style>@import url('{url}/b.css'); @import url('{sheet}');"
        f"@font-face {{ font-family: x; src: url({url}/c.woff) }} p {{ margin: 0 }}</style></head>"
        f'<body><p style="background: url({url}/d.png)">x</p><img src="{url}/e.png"></body></html>'
    )
    assert "abcdef" not in inlined(html)
    for body in (html, html.replace("<p", "{% if 1 %}<p").replace("</p>", "</p>{% endif %}")):
        content = prepare(replace(SOURCE, subject="x", body=body))
        assert "abcdef" not in render(content, values()).html
    assert asked == []


async def test_mjml_fetches_and_includes_nothing(
    canary: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = canary
    part = tmp_path / "canary.mjml"
    part.write_text("<mj-text>canary of a file</mj-text>")
    body = (
        f'<mjml><mj-head><mj-font name="x" href="{url}/font.css"/></mj-head><mj-body><mj-section>'
        f'<mj-column><mj-image src="{url}/a.png"/><mj-text font-family="x">x</mj-text>'
        "</mj-column></mj-section></mj-body></mjml>"
    )
    prepare(replace(SOURCE, subject="x", body=body, mjml=True))
    for form in (
        f'<mj-include path="{part}"/>',
        f'<MJ-INCLUDE path="{part}"/>',
        f'< mj-include path="file://{part}" />',
        f'<mj-include path="{url}/a.mjml"></mj-include>',
        f'<!-- --><mj-include type="html" path="{part}"/>',
    ):
        hostile = body.replace("<mj-image", f"{form}<mj-image")
        try:
            made = prepare(replace(SOURCE, subject="x", body=hostile, mjml=True)).html
        except BadTemplate as problem:
            made = str(problem)
        assert "canary of a file" not in made
    assert asked == []


async def test_the_service_refuses_bombs_and_goes_on(open_service: Open) -> None:
    runtime = await open_service(SERVICE)
    await add_operators(runtime)
    case = Case([member("a@x.example")])
    with pytest.raises(Refused, match="takes too much time or memory to render") as refused:
        await carry_out(runtime, case.template(body=BOMBS[1]))
    assert refused.value.field == "body"
    await carry_out(runtime, case.template())
