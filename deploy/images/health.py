"""Asks a service of this container whether it is ready: ``python -m deploy.images.health NAME``.

The slim image has no curl; exit 0 means ready, 1 not, 2 that no service has this name.
"""

from __future__ import annotations

import http.client
import os
import sys
from typing import Final

# In the order of the ports, as the command line's catalogue has them; written out here because
# importing that takes a second of a core, every ten seconds and in every container.
NAMES: Final = (
    "web",
    "campaign",
    "targeting",
    "actions",
    "delivery",
    "supplier",
    "budget",
    "stock",
    "events_status",
    "workflows",
    "bot",
)
SECONDS: Final = 3


def is_ready(port: int) -> bool:
    """Return whether the service on a port of this machine says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def main(name: str) -> int:
    """Return the exit code for a service's name."""
    if name not in NAMES:
        return 2
    base = int(os.environ.get("HTTP_BASE_PORT", "8080"))
    return 0 if is_ready(base + NAMES.index(name)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
