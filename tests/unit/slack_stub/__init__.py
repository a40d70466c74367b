"""Tests of the stub Slack workspace that need no socket."""
