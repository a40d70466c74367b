"""The technical workflows of targeting: none yet. Counts and snapshots need none to be started."""

from __future__ import annotations

from shared.workflows import TechnicalWorkflow

WORKFLOWS: tuple[TechnicalWorkflow, ...] = ()
