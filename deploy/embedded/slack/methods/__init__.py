"""The Web API methods the stub knows, each as a function of the workspace and the arguments."""

from deploy.embedded.slack.calls import Method
from deploy.embedded.slack.methods import channels, chat, files, people, views

METHODS: dict[str, Method] = {
    **people.METHODS,
    **channels.METHODS,
    **chat.METHODS,
    **files.METHODS,
    **views.METHODS,
}
"""By Slack's name; ``apps.connections.open`` is served beside the sockets it hands out."""
