"""``python -m services.cli``: what child processes are started with."""

from __future__ import annotations

from services.cli.main import main

main()
