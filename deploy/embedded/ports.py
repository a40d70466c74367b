"""Free loopback ports.

They are drawn below the range from which operating systems take the ports of outgoing
connections, so that no client can sit on a server's port while that server restarts.
"""

import random
import socket

from deploy.embedded.errors import EmbeddedError

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000
_DRAWS = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on ``port`` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a loopback port on which nobody listens; raise EmbeddedError when none is found."""
    for _ in range(_DRAWS):
        port = random.randrange(_LOWEST, _HIGHEST)
        if is_free(port):
            return port
    raise EmbeddedError(
        f"No free port was found between {_LOWEST} and {_HIGHEST} on {HOST}.",
        "Stop programs that listen there, then start again.",
    )


def accepts(port: int, timeout_seconds: float = 0.5) -> bool:
    """Return whether something accepts TCP connections on ``port`` of the loopback address."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_seconds):
            return True
    except OSError:
        return False
