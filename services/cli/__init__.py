"""The command line: ``muster``, for whoever sets up, runs and looks after an instance."""

from __future__ import annotations

from services.cli.main import main

__all__ = ["main"]
