"""Where mails go: the relays, as settings name them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relay:
    """Where a relay listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parsed(text: str) -> tuple[Relay, ...]:
    """Return the relays of a text such as ``mx1.example.org:25,[2001:db8::1]:587``.

    Raises:
        ValueError: naming the part that is no ``host:port``.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        host, _, port = part.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if bracketed else host
        number = int(port) if port.isascii() and port.isdigit() else 0
        if not host or not 1 <= number <= 65_535 or (":" in host and not bracketed):
            message = f"takes host:port, separated by commas, not {part!r}"
            raise ValueError(message)
        found.append(Relay(host, number))
    if len(set(found)) < len(found):
        raise ValueError("names a relay twice")
    return tuple(found)
