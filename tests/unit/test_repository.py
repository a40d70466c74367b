"""The files of the repository: a closed lock, no hosts or machines named, no blanket silencing."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SKIPPED_FOLDERS = frozenset({".git", ".venv", ".muster", "dist", "build"})

# Joined from parts, so that this file does not name what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("search", "maven", "org"),
        ("central", "sonatype", "com"),
        ("packages", "confluent", "io"),
        ("jit" + "pack", "io"),
        ("downloads", "apache", "org"),
        ("archive", "apache", "org"),
        ("dlcdn", "apache", "org"),
        ("adop" + "tium", "net"),
        ("jdk", "java", "net"),
        ("npm" + "js", "org"),
        ("npm" + "js", "com"),
        ("un" + "pkg", "com"),
        ("js" + "delivr", "net"),
        ("cdn" + "js", "cloudflare", "com"),
        ("docker", "io"),
        ("docker", "com"),
        ("gh" + "cr", "io"),
        ("gcr", "io"),
        ("quay", "io"),
        ("crates", "io"),
        ("golang", "org"),
        ("ruby" + "gems", "org"),
        ("ana" + "conda", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("get", "postgresql", "org"),
        ("ftp", "postgresql", "org"),
        ("astral", "sh"),
        ("github" + "usercontent", "com"),
    )
)
_REGISTRY = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, REGISTRIES)) + r")\b")
# An image's build cache is kept under /root; the image's own user has its home like the product.
_HOMES = re.compile(
    "(" + "|".join(("/" + "home/(?!muster\\b)", "/" + "Users/", r"[A-Z]:\\+Users\\+")) + r")\w"
    "|/" + r"root/(?!\.cache\b)\w"
)
_SHARED_PARENTS = frozenset(
    map(Path, ("/", "/app", "/builds", "/mnt", "/opt", "/src", "/srv", "/tmp"))
)

_BLANKET = (
    re.compile(r"#\s*noqa\b(?!:\s*[A-Z]+\d+)"),
    re.compile(r"#\s*(ruff|flake8):\s*noqa\b(?!:\s*[A-Z]+\d+)"),
    re.compile(r"#\s*type:\s*ignore\b(?!\[[a-z-]+)"),
    re.compile(r"#\s*mypy:\s*ignore-errors"),
)


@cache
def files() -> tuple[Path, ...]:
    """Return the files that are or would be committed."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = list(ROOT.rglob("*"))
    return tuple(path for path in found if path.is_file() and not SKIPPED_FOLDERS & set(path.parts))


def texts() -> dict[str, str]:
    """Return the text files by their path in the repository; binary ones are left out."""
    found = {}
    for path in files():
        try:
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def places(pattern: re.Pattern[str], suffix: str = "") -> list[str]:
    """Return where the pattern stands, as ``file:line: text``."""
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for name, text in texts().items()
        if name.endswith(suffix)
        for match in pattern.finditer(text)
    ]


def locked() -> dict[str, list[str]]:
    """Return the lines of the lock file by package."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)(\[[\w,-]+\])?==", line):
            found[canonicalize_name(pinned[1])] = []
        if found and not line.lstrip().startswith("#"):
            found[next(reversed(found))].append(line)
    return found


def test_every_locked_package_has_a_hash() -> None:
    lock = locked()
    assert len(lock) > 50
    hashed = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
    assert [name for name, lines in lock.items() if not hashed.search("\n".join(lines))] == []


def test_the_lock_holds_nothing_but_packages_markers_and_hashes() -> None:
    line = re.compile(
        r"([\w.-]+(\[[\w,-]+\])?==[\w.!+]+( ; [^/]+)?|    --hash=sha256:\w{64})( \\)?|"
    )
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [
        text for text in lines if not text.startswith("    #") and not line.fullmatch(text)
    ] == []
    assert [text for text in lines if "://" in text or _REGISTRY.search(text)] == []


def test_every_declared_package_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = [*project["dependencies"], *(text for extra in extras for text in extra)]
    names = {canonicalize_name(Requirement(text).name) for text in declared}
    assert names - locked().keys() == set()


def test_no_file_names_a_registry() -> None:
    assert places(_REGISTRY) == []


def test_no_file_names_a_developer_s_machine() -> None:
    assert places(_HOMES) == []
    assert places(re.compile(re.escape(str(ROOT)) + r"(?![\w.-])")) == []
    if ROOT.parent not in _SHARED_PARENTS:
        assert places(re.compile(r"(?<![\w.])" + re.escape(f"{ROOT.parent}/"))) == []


def test_every_silenced_rule_is_named() -> None:
    assert [place for pattern in _BLANKET for place in places(pattern, ".py")] == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (_REGISTRY, "https://" + REGISTRIES[0] + "/simple"),
        (_REGISTRY, "files." + REGISTRIES[1]),
        (_HOMES, "/" + "home/alice/x"),
        (_HOMES, "/" + "root/x"),
        (_BLANKET[0], "x = 1  # " + "noqa"),
        (_BLANKET[1], "# ruff: " + "noqa"),
        (_BLANKET[2], "x = 1  # type: " + "ignore"),
        (_BLANKET[3], "# mypy: " + "ignore-errors"),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (_HOMES, "/" + "home/muster/data"),
        (_HOMES, "/" + "root/.cache/uv"),
        (_BLANKET[0], "x = 1  # " + "noqa: S608  # the reason"),
        (_BLANKET[2], "x = 1  # type: " + "ignore[attr-defined]"),
    ],
)
def test_the_patterns_leave_the_rest_alone(pattern: re.Pattern[str], text: str) -> None:
    assert not pattern.search(text)
