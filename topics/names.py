"""Every Kafka topic of Muster: name, key, partitions, how long it is kept.

``muster topics apply`` creates them and ``muster topics check`` compares them with a broker;
brokers run with automatic creation off, so a topic that is not listed here does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PARTITIONS: Final = 6
INBOX_MARGIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        name: as on the broker.
        key: what the record key is, in words; order holds per key.
        retention: how long records are kept; ``None`` when the topic is compacted.
        partitions: partition count at creation.
        personal: records may carry personal data (addresses), so readers are few.
        intake: outside producers may write here (``muster topics acl``).
    """

    name: str
    key: str
    retention: timedelta | None = timedelta(days=7)
    partitions: int = PARTITIONS
    personal: bool = False
    intake: bool = False

    @property
    def compacted(self) -> bool:
        """Whether only the latest record of a key is kept."""
        return self.retention is None

    @property
    def inbox_retention(self) -> timedelta:
        """How long a consumer remembers the ids it handled: the topic's retention and a day.

        A compacted topic can be read again at any age, so its readers compare versions
        and the inbox only needs to outlive a long replay.
        """
        return (self.retention or timedelta(days=30)) + INBOX_MARGIN

    @property
    def dead_letters(self) -> Topic:
        """The topic that takes what could not be processed, kept a month."""
        return Topic(
            f"{self.name}.dlq",
            key=self.key,
            retention=timedelta(days=30),
            partitions=1,
            personal=self.personal,
        )


MONTH: Final = timedelta(days=30)

CAMPAIGN_COMMANDS: Final = Topic("campaign.commands.v1", "campaign, plan or program id")
CAMPAIGN_EVENTS: Final = Topic("campaign.events.v1", "campaign, plan or program id", MONTH)
CAMPAIGN_STATE: Final = Topic("campaign.state.v1", "campaign id", None, 3)
PLANS_STATE: Final = Topic("plans.state.v1", "plan or program id", None, 3)

TARGETING_COMMANDS: Final = Topic("targeting.commands.v1", "campaign or targeting id")
TARGETING_EVENTS: Final = Topic("targeting.events.v1", "campaign id or recipient key", MONTH)
TARGETING_STATE: Final = Topic("targeting.state.v1", "targeting id", None, 3)
# Whole audiences travel here, in chunks under the broker's record limit.
SNAPSHOTS: Final = Topic("targeting.snapshots.v1", "campaign id", personal=True)

ACTIONS_COMMANDS: Final = Topic("actions.commands.v1", "campaign or model id")
ACTIONS_EVENTS: Final = Topic("actions.events.v1", "campaign id", MONTH)
ACTIONS_STATE: Final = Topic("actions.state.v1", "model id", None, 3)

DELIVERY_COMMANDS: Final = Topic("delivery.commands.v1", "campaign or template id, recipient key")
# One message each for an outside event: they carry an address and must not wait behind campaigns.
DELIVERY_MESSAGES: Final = Topic("delivery.messages.v1", "message id", personal=True)
DELIVERY_BATCH_MESSAGES: Final = Topic("delivery.batch-messages.v1", "message id", personal=True)
DELIVERY_EVENTS: Final = Topic("delivery.events.v1", "campaign, message id or recipient key", MONTH)
# Summaries, one per run and transaction, that the live view adds up.
DELIVERY_ACTIVITY: Final = Topic("delivery.activity.v1", "run id", timedelta(days=1), 3)
# Faust keeps the live view's table here; its name follows from the view's application id.
DELIVERY_ACTIVITY_CHANGELOG: Final = Topic(
    "muster-delivery-views-activity-changelog", "run id", None, 3
)
# Batches of what is known of single messages, for the archive of Message Center.
DELIVERY_LOGS: Final = Topic("delivery.logs.v1", "batch id", MONTH, 3)
TEMPLATES_STATE: Final = Topic("templates.state.v1", "template id", None, 3)
APPROVALS_STATE: Final = Topic("approvals.state.v1", "approval id", None, 3)

SUPPLIER_COMMANDS: Final = Topic(
    "supplier.commands.v1", "campaign, service or supplier id", personal=True
)
SUPPLIER_EVENTS: Final = Topic("supplier.events.v1", "campaign id", MONTH)
SUPPLIER_STATE: Final = Topic("supplier.state.v1", "service or supplier id", None, 3)

BUDGET_COMMANDS: Final = Topic("budget.commands.v1", "campaign or budget id")
BUDGET_EVENTS: Final = Topic("budget.events.v1", "campaign id", MONTH)
BUDGET_STATE: Final = Topic("budget.state.v1", "budget id", None, 3)

STOCK_COMMANDS: Final = Topic("stock.commands.v1", "campaign or stock line id")
STOCK_EVENTS: Final = Topic("stock.events.v1", "campaign or stock line id", MONTH)
STOCK_STATE: Final = Topic("stock.state.v1", "stock line id", None, 3)

EVENTS_REALTIME: Final = Topic("events.realtime.v1", "event id", personal=True, intake=True)
EVENTS_BATCH: Final = Topic("events.batch.v1", "event id", personal=True, intake=True)
EVENTS_COMMANDS: Final = Topic("events.commands.v1", "event type")
EVENTS_STATUS: Final = Topic("events.status.v1", "event id", timedelta(days=31))
EVENTS_STATE: Final = Topic("events.state.v1", "event id", None)
# Summaries, one per transaction, that the view of service levels adds up; few, and read by one.
EVENTS_ACTIVITY: Final = Topic("events.activity.v1", "source", timedelta(days=2), 1)
# Faust keeps the view's table here; its name follows from the view's application id.
EVENTS_ACTIVITY_CHANGELOG: Final = Topic("muster-events-views-levels-changelog", "part", None, 1)

WORKFLOWS_COMMANDS: Final = Topic("workflows.commands.v1", "workflow name", partitions=3)
WORKFLOWS_EVENTS: Final = Topic("workflows.events.v1", "workflow name", MONTH, 3)
WORKFLOWS_STATE: Final = Topic("workflows.state.v1", "workflow name", None, 3)
HEARTBEATS: Final = Topic("workflows.heartbeats.v1", "service name", timedelta(days=1), 3)
# Faust keeps the heartbeat watch's table here; its name follows from the view's application id.
HEARTBEATS_CHANGELOG: Final = Topic(
    "muster-workflows-views-heartbeats-changelog", "service name", None, 3
)

OPERATORS_COMMANDS: Final = Topic("operators.commands.v1", "Slack account", partitions=3)
OPERATORS_EVENTS: Final = Topic("operators.events.v1", "Slack account", MONTH, 3)
OPERATORS_STATE: Final = Topic("operators.state.v1", "operator id", None, 3)

CHANGELOGS: Final = (DELIVERY_ACTIVITY_CHANGELOG, EVENTS_ACTIVITY_CHANGELOG, HEARTBEATS_CHANGELOG)

TOPICS: Final[tuple[Topic, ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Topic)
)


def all_topics() -> tuple[Topic, ...]:
    """Return the catalogue with the dead-letter topic of each."""
    return TOPICS + tuple(topic.dead_letters for topic in TOPICS if topic not in CHANGELOGS)
