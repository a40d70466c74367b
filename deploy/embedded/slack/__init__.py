"""A stub Slack workspace that speaks the real wire protocol, for the demo and the tests."""

from deploy.embedded.slack.blocks import check_blocks, check_view
from deploy.embedded.slack.render import render_text
from deploy.embedded.slack.seed import Channel, Person, Seed
from deploy.embedded.slack.stub import SlackStub
from deploy.embedded.slack.wire import Ack, Ephemeral, Forgery, Message, View
from deploy.embedded.slack.workspace import Workspace

__all__ = [
    "Ack",
    "Channel",
    "Ephemeral",
    "Forgery",
    "Message",
    "Person",
    "Seed",
    "SlackStub",
    "View",
    "Workspace",
    "check_blocks",
    "check_view",
    "render_text",
]
