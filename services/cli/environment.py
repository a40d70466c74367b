"""Where a command finds its servers: what the environment names, else the embedded ones."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.embedded.cluster import EmbeddedCluster
from deploy.embedded.ports import is_free
from shared.database import identifier
from shared.settings import Settings, SettingsError, database_name, load

FOLDER: Final = Path(".muster")
NEEDED: Final = ("DATABASE_URL", "KAFKA_BOOTSTRAP", "MUSTER_SECRET_KEY")


def secret_in(folder: Path) -> str:
    """Return the instance's secret, made and kept (0600) at the first call."""
    path = folder / "secret"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()


def of_cluster(cluster: EmbeddedCluster, folder: Path) -> dict[str, str]:
    """Return the variables that point at a running embedded cluster."""
    return {
        "DATABASE_URL": cluster.database_url,
        "KAFKA_BOOTSTRAP": cluster.kafka_bootstrap,
        "SMTP_HOST": cluster.smtp_host,
        "SMTP_PORT": str(cluster.smtp_port),
        "MUSTER_SECRET_KEY": secret_in(folder),
    }


def free_block(first: int, count: int) -> int:
    """Return a port from which ``count`` ports in a row are free on the loopback address.

    Raises:
        SystemExit: there is none from ``first`` to 20,000.
    """
    for base in range(first, 20_000, count):
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise SystemExit(f"no {count} free ports in a row from {first} on; set HTTP_BASE_PORT")


def remember(folder: Path, variables: Mapping[str, str]) -> None:
    """Keep the variables of a running instance, so that other commands find it (0600)."""
    path = folder / "environment"
    text = "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def recall(folder: Path = FOLDER) -> None:
    """Fill what the environment does not name from the instance that runs in ``folder``."""
    path = folder / "environment"
    if all(name in os.environ for name in NEEDED) or not path.exists():
        return
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


def settings_or_exit() -> Settings:
    """Return the instance's settings.

    Raises:
        SystemExit: a setting is missing or wrong; the text says which and what to do.
    """
    recall()
    try:
        settings = load(Settings)
    except SettingsError as problem:
        raise SystemExit(
            f"{problem}\nSet these variables, or start the embedded servers with `muster up`."
        ) from None
    try:
        identifier(database_name(settings.database_url))
    except ValueError as problem:
        raise SystemExit(
            f"DATABASE_URL: {problem}; roles are named after the database, so give it a name of"
            " lower-case letters, digits and underscores"
        ) from None
    return settings
