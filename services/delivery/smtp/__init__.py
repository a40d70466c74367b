"""Mails to the relays over SMTP: pipelined, many on one connection, every reply accounted for.

RFC 5321 is spoken by code of our own because it is this product's hot path (ADR 0007): ``dialogue``
decides without I/O, ``link`` is the wire, ``connection`` what a sender holds.
"""

from services.delivery.smtp.connection import Connection, knock
from services.delivery.smtp.link import CANNOT_CONNECT, CannotConnect, describe
from services.delivery.smtp.mails import Answer, Mail
from services.delivery.smtp.relays import Relays

__all__ = [
    "CANNOT_CONNECT",
    "Answer",
    "CannotConnect",
    "Connection",
    "Mail",
    "Relays",
    "describe",
    "knock",
]
