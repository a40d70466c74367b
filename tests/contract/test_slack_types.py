"""The JSON of every screen against the types that Slack publishes (``@slack/types``)."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from deploy.embedded.paths import cache_folder
from tests.unit.bot.screens import SETTINGS, messages, views

PROJECT = Path(__file__).parent / "slack_types"
HEAD = """
import type { HomeView, KnownBlock, ModalView } from "@slack/types";

// Slack's views take any block; ours are known ones.
type Known<View> = Omit<View, "blocks"> & { blocks: KnownBlock[] };

// @ts-expect-error a field that Slack does not know must be seen
export const control: KnownBlock = { type: "header", txt: { type: "plain_text", text: "x" } };
"""


def installed() -> Path:
    """Return a folder with the types and the compiler, made once per lock file.

    Skips with the reason where there is no Node.js, or no way to its packages.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js is not installed: Slack's types are not checked")
    lock = PROJECT / "package-lock.json"
    version = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"slack-types-{version}"
    if not (folder / "node_modules" / ".package-lock.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROJECT / name, folder)
        clean_install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                clean_install, cwd=folder, capture_output=True, text=True, timeout=100, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not get Slack's types within 100 s")
        if done.returncode:
            pytest.skip(f"npm could not install Slack's types: {done.stderr.strip()[-300:]}")
    return folder


def declarations() -> Iterator[str]:
    """Yield every screen as a constant of its type."""
    number = 0
    for setting in SETTINGS:
        for name, shown in messages(setting):
            number += 1
            blocks = orjson.dumps(shown["blocks"]).decode()
            yield f"// {setting.language}: {name}\nexport const m{number}: KnownBlock[] = {blocks};"
        for name, view in views(setting):
            number += 1
            kind = "HomeView" if view["type"] == "home" else "ModalView"
            shape = orjson.dumps(view).decode()
            yield f"// {setting.language}: {name}\nexport const v{number}: Known<{kind}> = {shape};"


def test_every_screen_has_the_shape_that_slack_publishes(tmp_path: Path) -> None:
    folder = installed()
    written = tmp_path / "screens.ts"
    written.write_text("\n".join([HEAD, *declarations()]), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(folder / "node_modules")
    compiler = [
        *("node", str(folder / "node_modules" / "typescript" / "bin" / "tsc")),
        *("--noEmit", "--strict", "--skipLibCheck"),
        *("--target", "es2022", "--module", "preserve", str(written)),
    ]
    done = subprocess.run(
        compiler, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
