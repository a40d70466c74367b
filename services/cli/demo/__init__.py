"""``muster demo``: campaigns from a Slack command to Finished, on real servers."""

from __future__ import annotations

from services.cli.demo.command import demo

__all__ = ["demo"]
