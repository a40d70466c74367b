"""What a declared licence means for a project under Apache-2.0."""

import re
from collections.abc import Iterator
from enum import StrEnum
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# SPDX identifiers, and the names that older packages declare, all in lower case.
ALLOWED = frozenset(
    {
        "0bsd",
        "apache 2",
        "apache 2.0",
        "apache license, version 2.0",
        "apache software license",
        "apache-2.0",
        "bsd license",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "isc",
        "isc license (iscl)",
        "mit",
        "mit license",
        "mit-0",
        # Weak copyleft: its own files stay under it, what uses them need not.
        "epl-2.0",
        "mozilla public license 2.0 (mpl 2.0)",
        "mpl-2.0",
        "psf-2.0",
        "python software foundation license",
        "unlicense",
        "zlib",
    }
)
_FORBIDDEN = re.compile(
    r"\b(a?gpl|gplv[23]|(affero )?general public|sspl|busl|business source|commons clause"
    r"|proprietary|commercial|all rights reserved|non-?commercial|cc-by-nc)",
    re.IGNORECASE,
)
_LESSER = re.compile(r"\b(lesser|library) general public", re.IGNORECASE)
_EXCEPTION = re.compile(r"\bwith\b.*exception", re.IGNORECASE)
_NOT_A_NAME = frozenset({"osi approved", "dfsg approved"})


class Verdict(StrEnum):
    """Whether a licence lets an Apache-2.0 project depend on what is under it."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


def judge(declared: str) -> Verdict:
    """Return the verdict on an SPDX expression or a name: the best of OR, the worst of AND."""
    expression = declared.strip()
    while inner := re.search(r"\(([^()]*\b(?:AND|OR)\b[^()]*)\)", expression):
        best = {"allowed": "MIT", "forbidden": "AGPL", "unknown": "?"}[judge(inner[1])]
        expression = expression[: inner.start()] + best + expression[inner.end() :]
    best_first = (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.FORBIDDEN)
    if " OR " in expression:
        return min(map(judge, expression.split(" OR ")), key=best_first.index)
    if " AND " in expression:
        return max(map(judge, expression.split(" AND ")), key=best_first.index)
    return _judge_name(expression)


def _judge_name(name: str) -> Verdict:
    if name.lower() in ALLOWED:
        return Verdict.ALLOWED
    # An exception or a lesser licence needs a person to look at it, so neither is decided here.
    if _FORBIDDEN.search(name) and not _EXCEPTION.search(name) and not _LESSER.search(name):
        return Verdict.FORBIDDEN
    return Verdict.UNKNOWN


def declared_licence(package: Distribution) -> str:
    """Return what the package declares: its expression, else its classifiers, else its text."""
    expression = _field(package, "License-Expression")
    if expression:
        return expression
    classifiers = [
        line.rsplit("::", 1)[-1].strip()
        for line in package.metadata.get_all("Classifier") or []
        if line.startswith("License")
    ]
    if named := [name for name in classifiers if name.lower() not in _NOT_A_NAME]:
        return " AND ".join(named)
    return _field(package, "License").strip().partition("\n")[0].strip()


def _field(package: Distribution, name: str) -> str:
    return "".join((package.metadata.get_all(name) or [])[:1])


def needed(roots: list[str]) -> Iterator[Distribution]:
    """Yield every installed package that the requirements need, directly or through another.

    Raises:
        PackageNotFoundError: one of them is not installed.
    """
    todo, seen = [(Requirement(root), "") for root in roots], set[tuple[str, str]]()
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *sorted(requirement.extras)):
            key = (canonicalize_name(requirement.name), wanted)
            if key in seen:
                continue
            seen.add(key)
            package = distribution(requirement.name)
            todo += [(Requirement(text), wanted) for text in package.requires or ()]
            if not wanted:
                yield package
