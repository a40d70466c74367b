"""The alerting rules speak of metrics and labels that the services really tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML publishes no types
from prometheus_client.metrics import MetricWrapperBase

from shared import metrics
from tests.conftest import REPOSITORY

RULES: list[dict[str, Any]] = yaml.safe_load(
    Path(REPOSITORY, "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8")
)["groups"][0]["rules"]
TOLD = {
    name: set(metric._labelnames)
    for metric in vars(metrics).values()
    if isinstance(metric, MetricWrapperBase)
    for told in metric.describe()
    for name in (told.name, f"{told.name}_total")
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_names_a_metric_and_labels_that_it_has(rule: dict[str, Any]) -> None:
    [name] = re.findall(r"\bmuster_\w+", rule["expr"])
    labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    if grouped := re.search(r"by \(([^)]*)\)", rule["expr"]):
        assert labels <= set(grouped[1].replace(" ", "").split(","))
        labels |= set(grouped[1].replace(" ", "").split(","))
    assert labels <= TOLD[name]


def test_lag_old_transactions_and_readiness_have_an_alert() -> None:
    told = " ".join(rule["expr"] for rule in RULES)
    for name in ("outbox_lag_seconds", "oldest_transaction_seconds", "ready", "partition_halted"):
        assert f"muster_{name}" in told
