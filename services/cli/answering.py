"""How a command ends: what came of it, shown; or why not, in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
from fastapi import HTTPException
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from shared.errors import Refused

T = TypeVar("T")


def or_exit(doing: Coroutine[Any, Any, T]) -> T:
    """Do something; a refusal ends the process with its field and reason.

    Raises:
        SystemExit: it was refused, or what a route reads is not there.
    """
    try:
        return asyncio.run(doing)
    except Refused as refusal:
        field = f"{refusal.field}: " if refusal.field else ""
        raise SystemExit(f"{field}{refusal.reason}") from None
    except HTTPException as problem:
        raise SystemExit(problem.detail) from None


def show_fields(view: BaseModel, console: Console, *, as_json: bool) -> None:
    """Print one thing, a line a field, or as JSON."""
    if as_json:
        typer.echo(view.model_dump_json())
        return
    table = Table(show_header=False)
    for name in type(view).model_fields:
        table.add_row(name, str(getattr(view, name)))
    console.print(table)
