"""Setting an instance up: schemas, roles, topics, and ``doctor`` that says what is missing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from services.cli.catalogue import migration_folders
from services.cli.environment import settings_or_exit
from services.delivery.http import client as gateway
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import CANNOT_CONNECT, describe, knock
from services.targeting.sql_role import ensure_sql_role
from shared import kafka, topics_admin, tracing
from shared.migrations import migrate
from shared.settings import Settings, load, role_url

topics = typer.Typer(help="The topics on the broker.", no_args_is_help=True)
console = Console()
SMTP_ADVICE: Final = "check SMTP_HOST and SMTP_PORT, or SMTP_RELAYS"


async def migrate_all(settings: Settings) -> list[str]:
    """Bring every schema and role up to date, the direct-SQL role too; return what was applied."""
    applied = await migrate(settings, migration_folders())
    await ensure_sql_role(settings)
    return applied


@topics.command("apply")
def topics_apply(
    replicas: Annotated[
        int | None, typer.Option(min=1, help="of each topic; 3 where there are 3 brokers, else 1")
    ] = None,
) -> None:
    """Create the topics that are missing."""
    made = asyncio.run(topics_admin.apply(settings_or_exit(), replicas=replicas))
    console.print(f"{len(made)} topics made" if made else "every topic is there")


@topics.command("check")
def topics_check() -> None:
    """Compare the broker's topics with the catalogue; exit 1 when they differ."""
    differences = asyncio.run(topics_admin.check(settings_or_exit()))
    for difference in differences:
        console.print(f"{difference.topic} {difference.what}")
    if differences:
        raise typer.Exit(1)
    console.print("the broker has every topic as the catalogue says")


@topics.command("acl")
def topics_acl(
    producer: Annotated[str, typer.Option(help="the outside producer's principal")] = "outside",
    services: Annotated[str, typer.Option(help="the principal of Muster's services")] = "muster",
) -> None:
    """Print the broker's access rules: outside producers write to intake topics only."""
    bootstrap = settings_or_exit().kafka_bootstrap
    for line in topics_admin.acl_commands(bootstrap, producer=producer, services=services):
        console.print(line, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the doctor found of one dependency; ``advice`` is empty when it is well."""

    what: str
    detail: str
    advice: str = ""


async def _postgresql(settings: Settings) -> Finding:
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        version = connection.get_server_version()
    finally:
        await connection.close()
    if version.major < 16:
        return Finding("PostgreSQL", f"version {version.major}", "use 16 or newer")
    return Finding("PostgreSQL", f"version {version.major}.{version.minor}")


async def _schemas(settings: Settings) -> Finding:
    connection = await asyncpg.connect(role_url(settings, "campaign"), timeout=5)
    try:
        count = await connection.fetchval("SELECT count(*) FROM campaign.schema_migrations")
    finally:
        await connection.close()
    return Finding("schemas and roles", f"{count} migrations in campaign")


async def _instance(settings: Settings) -> Finding:
    connection = await asyncpg.connect(role_url(settings, "web"), timeout=5)
    try:
        row = await connection.fetchrow("SELECT epoch, restored_at FROM web.instance")
    finally:
        await connection.close()
    if row is None or row["restored_at"] is None:
        return Finding("instance", "its first life")
    at = row["restored_at"].isoformat(timespec="seconds")
    return Finding("instance", f"epoch {row['epoch']}, restored from a backup at {at}")


async def _topics(settings: Settings) -> Finding:
    differences = await topics_admin.check(settings)
    if differences:
        first = f"{differences[0].topic} {differences[0].what}"
        return Finding("topics", f"{len(differences)} differ: {first}", "run: muster topics apply")
    return Finding("topics", "as the catalogue says")


async def _broker(settings: Settings) -> Finding:
    async with kafka.admin(settings) as client:
        count = len(await client.list_topics())
    return Finding("Kafka", f"{settings.kafka_bootstrap}, {count} topics")


async def _smtp(_: Settings) -> Finding:
    """Connect to each relay as a sender does: TLS, certificate and login included."""
    settings = load(DeliverySettings)
    found, advice = [], ""
    for relay in settings.relays:
        try:
            await knock(relay, settings)
        except CANNOT_CONNECT as problem:
            advice = SMTP_ADVICE
            found.append(f"{relay}: {describe(problem)}")
        else:
            found.append(f"{relay} takes mails")
    return Finding("SMTP", ", ".join(found), advice)


async def _sms(_: Settings) -> Finding:
    """Connect to the SMS gateway, without posting anything: a message would be charged."""
    url = load(DeliverySettings).sms_gateway_url
    if url is None:
        return Finding("SMS", "no gateway (SMS_GATEWAY_URL): no SMS is sent")
    await gateway.knock(url)
    return Finding("SMS", f"{urlsplit(url).netloc} can be reached")


async def _bounces(_: Settings) -> Finding:
    """Say where bounces come in; a domain for them without a way in loses every one."""
    settings = load(DeliverySettings)
    domain = settings.bounce_domain
    ways = [
        f"SMTP on port {settings.bounce_smtp_port}" if settings.bounce_smtp_port else "",
        f"the mailbox on {settings.bounce_imap_host}" if settings.bounce_imap_host else "",
    ]
    found = " and ".join(filter(None, ways))
    if domain is None:
        return Finding("bounces", found or "go to each sender's own address")
    advice = "" if found else "set BOUNCE_SMTP_PORT or BOUNCE_IMAP_HOST: nobody reads that mail"
    return Finding("bounces", f"{domain}, {found or 'no way in'}", advice)


async def _public_url(settings: Settings) -> Finding:
    if settings.public_url.startswith("https://"):
        return Finding("PUBLIC_URL", f"{settings.public_url}, one-click unsubscribe")
    without = "no List-Unsubscribe at all: set UNSUBSCRIBE_MAILTO too"
    mailto = load(DeliverySettings).unsubscribe_mailto
    left = f"mails offer mailto:{mailto} alone" if mailto else without
    advice = f"one-click unsubscribe needs an https address people can reach; {left}"
    return Finding("PUBLIC_URL", settings.public_url, advice)


async def _traces(_: Settings) -> Finding:
    reason = tracing.why_off()
    detail = reason or f"spans go to {os.environ[tracing.ENDPOINT]}"
    # Off by choice is well; wanted and not possible is not.
    wanted = reason and os.environ.get(tracing.ENDPOINT)
    return Finding("traces", detail, "pip install 'muster[tracing]'" if wanted else "")


Look = Callable[[Settings], Awaitable[Finding]]
LOOKS: Final[tuple[tuple[str, str, Look], ...]] = (
    ("PostgreSQL", "check DATABASE_URL, or start one with: muster up", _postgresql),
    ("schemas and roles", "run: muster migrate", _schemas),
    ("instance", "run: muster migrate", _instance),
    ("Kafka", "check KAFKA_BOOTSTRAP, or start one with: muster up", _broker),
    ("topics", "run: muster topics apply", _topics),
    ("SMTP", SMTP_ADVICE, _smtp),
    ("SMS", "check SMS_GATEWAY_URL", _sms),
    ("bounces", "", _bounces),
    ("PUBLIC_URL", "", _public_url),
    ("traces", "", _traces),
)


async def examine(settings: Settings) -> list[Finding]:
    """Look at each dependency; a failure is a finding with advice."""
    findings = []
    for what, advice, look in LOOKS:
        try:
            async with asyncio.timeout(15):
                findings.append(await look(settings))
        except (OSError, asyncpg.PostgresError, kafka.KafkaError) as problem:
            findings.append(Finding(what, type(problem).__name__, advice))
    return findings


def doctor() -> None:
    """Look at each dependency: green, or what to do."""
    findings = asyncio.run(examine(settings_or_exit()))
    table = Table(show_header=False, box=None)
    for finding in findings:
        mark = "[yellow]![/]" if finding.advice else "[green]✓[/]"
        table.add_row(mark, finding.what, finding.detail, finding.advice)
    console.print(table)
    if any(finding.advice for finding in findings if finding.what != "PUBLIC_URL"):
        raise typer.Exit(1)
