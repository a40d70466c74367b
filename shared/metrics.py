"""Every Prometheus metric of the core, in one list with its meaning."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

HANDLED: Final = Counter(
    "muster_messages_handled_total", "Messages whose effect is committed", ["service", "type"]
)
DUPLICATES: Final = Counter(
    "muster_messages_duplicate_total", "Messages the inbox knew already", ["service"]
)
DEAD_LETTERS: Final = Counter(
    "muster_dead_letters_total", "Messages put into the dead letters", ["service", "topic"]
)
PARKED: Final = Counter(
    "muster_messages_parked_total", "Messages put aside for a retry or behind one", ["service"]
)
BATCH_SECONDS: Final = Histogram(
    "muster_batch_seconds",
    "Time of one consumer transaction",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RELAYED: Final = Counter("muster_outbox_relayed_total", "Outbox rows sent to Kafka", ["service"])
RELAY_LAG: Final = Gauge(
    "muster_outbox_lag_seconds", "Age of the oldest outbox row not yet sent", ["service"]
)
RELAY_LEADER: Final = Gauge(
    "muster_outbox_leader", "1 where this process holds the schema's relay lease", ["service"]
)
OLDEST_TRANSACTION: Final = Gauge(
    "muster_oldest_transaction_seconds", "Age of the server's oldest open transaction", ["service"]
)
PARTITION_HALTED: Final = Gauge(
    "muster_partition_halted",
    "1 where too many dead letters in a row stopped a partition",
    ["service", "topic", "partition"],
)
READY: Final = Gauge(
    "muster_ready", "1 while PostgreSQL and Kafka answer a service, else 0", ["service"]
)
TASK_FAILURES: Final = Counter(
    "muster_task_failures_total", "Failures of tasks that are started again", ["service", "task"]
)
TASK_FAILING: Final = Gauge(
    "muster_task_failing",
    "1 from a task's failure until it has run well for a while, else 0",
    ["service", "task"],
)
WORKFLOW_RUNS: Final = Counter(
    "muster_workflow_runs_total", "Runs of technical workflows", ["service", "name", "result"]
)
