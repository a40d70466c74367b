"""The README's first command, from the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY
from tests.e2e.test_main_job import addresses_in
from tests.unit.licences import needed
from tests.wheel import build_wheel

pytest.importorskip("hatchling", reason="hatchling builds the wheel; it is not installed here")

PATIENCE_SECONDS: Final = 400
# What the console script of the installed distribution does.
SCRIPT: Final = (
    "from importlib.metadata import distribution;"
    "[one] = distribution('muster').entry_points.select(group='console_scripts');"
    "one.load()()"
)
# The direct mail: its steps, what it cost, where its money was, what its printer reported. Then the
# campaign that comes back.
TOLD: Final = (
    r"✓ Content, then money approved .* 2/2 ",
    r"✓ File approved, handed over .* 3/3 ",
    r"✓ Printer's proof approved .* 2/2 ",
    r"✓ Printer's bill paid .* 2/2 .* 159\.15 EUR went from spent to invoiced",
    r"│ direct_mail │ failed +│ supplier_refused: street unknown +│ 1 ",
    r"│ provisional +│ +│ 180\.00 EUR │",
    r"│ calculated +│ +│ 153\.95 EUR │",
    r"│ real +│ +│ 159\.15 EUR │",
    r"│ target frozen +│ 155\.85 +│ – +│ – +│ – +│ – +│ 1,000\.00 │ ✓ │",
    r"│ content approved +│ – +│ 155\.85 +│ – +│ – +│ – +│ 844\.15 +│ ✓ │",
    r"│ money approved +│ – +│ – +│ 155\.85 +│ – +│ – +│ 844\.15 +│ ✓ │",
    r"│ campaign finished +│ – +│ – +│ – +│ 153\.95 +│ – +│ 846\.05 +│ ✓ │",
    r"│ bill paid +│ – +│ – +│ – +│ – +│ 159\.15 +│ 840\.85 +│ ✓ │",
    r"│ first +│ 63 +│ 62 +│ 0 +│ 1 +│ line 2: status is neither sent nor failed │ ✓ │",
    r"│ corrected +│ 63 +│ 1 +│ 62 +│ 0 +│ +│ ✓ │",
    r"│ C-\d+-\w{12}\.csv +│ 63 +│ +│ \w{12} │ in a folder +│ 61 +│ 2 +│ post_processed │",
    *(
        rf"│ \d{{4}}-\d\d-\d\d 09:00 UTC │ C-\d+ +│ Daily tip, \w+#{number} +│ finished │ 15 +│"
        r" \d{4}-\d\d-\d\d 09:0\d:\d\d │ ✓ │"
        for number in (1, 2, 3)
    ),
    r"€1,000\.00 allocated − €0\.00 spent − €159\.15 invoiced = €840\.85 left ",
    r"│ 437 in stock − 0 reserved = 437 free ",
    r"│ == Budget to approve: C-\d+ Open day 1, by post == +│\n│ Approved by @Robin",
    r"│ == Extraction file to approve: C-\d+ Open day 1, by post == +│\n│ Approved by @Robin",
    r"│ == Router's proof to approve: C-\d+ Open day 1, by post == +│\n│ Approved by @Robin",
    r"│ \[ See the file \] ",
    r"│ Messages: 61 sent \+ 2 failed \+ 0 ignored \+ 0 ambiguous \+ 0 pending = 63 ",
    r"Stock: Envelopes, batch 1 +\n.*\n.*\n.*\n│ in stock │ 500 +│ 437 ",
)
KEPT: Final = ("HOME", "MUSTER_HOME", "TMPDIR", "LANG")


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel and what it says it needs, and nothing else; return the Python.

    What it needs is linked from this environment: nothing is fetched, and a package that only the
    tests declare is not there.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    [site] = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(site)
    [information] = site.glob("muster-*.dist-info")
    for package in needed(list(requirements(Distribution.at(information)))):
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(package.locate_file(top)))
    return folder / "bin" / "python"


def requirements(muster: Distribution) -> Iterator[str]:
    """Yield what ``muster[embedded]`` requires."""
    for text in muster.requires or ():
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": "embedded"}):
            one.marker = None
            yield str(one)


@pytest.mark.long
@pytest.mark.timeout(2 * PATIENCE_SECONDS + 100)
def test_the_demo_runs_from_the_wheel_outside_the_checkout_and_every_sum_adds_up_twice(
    tmp_path: Path,
) -> None:
    python = install(build_wheel(tmp_path / "dist"), tmp_path / "environment")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    told = demo(python, elsewhere)
    for line in TOLD:
        assert re.search(line, told), f"{line} in\n{told}"
    demo(python, elsewhere)  # with other people: the first ones' addresses are in quarantine
    assert addresses_in(elsewhere / "demo" / "logs") == []


def demo(python: Path, elsewhere: Path) -> str:
    """Run the demo in a folder; return what it told."""
    outside = {name: os.environ[name] for name in KEPT if name in os.environ}
    done = subprocess.run(
        [str(python), "-c", SCRIPT, "demo", "--once", "--folder", "demo"],
        cwd=elsewhere,
        env=outside | {"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "every sum adds up, every invariant holds" in told
    assert "✗" not in told
    assert str(REPOSITORY) not in told
    return told
