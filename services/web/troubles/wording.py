"""What a mail to a supervisor says, in their language."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.web.troubles.mails import TroubleMail
from topics.workflows import Trouble

SHOWN_NAMES: Final = 12
_SUBJECTS: Final = {
    (Trouble.FAILED, False): ("{name} failed", "{name} est en échec"),
    (Trouble.LATE, False): ("{name} is late", "{name} est en retard"),
    (Trouble.FAILED, True): ("{name} works again", "{name} fonctionne à nouveau"),
    (Trouble.LATE, True): ("{name} is back", "{name} est de retour"),
}
_BODIES: Final = {
    (Trouble.FAILED, False): (
        """The technical workflow {name} failed on {at} and stands still: {error}

Start it again once the cause is mended: by the button in Slack, in /workflows, or
muster workflows start {name}
""",
        """Le workflow technique {name} est en échec depuis le {at} et ne fait plus rien : {error}

Une fois la cause corrigée, redémarrez-le : par le bouton dans Slack, dans /workflows, ou
muster workflows start {name}
""",
    ),
    (Trouble.LATE, False): (
        """The service {name} gives no sign of life since {at}. With it stand still: {names}.

See whether its process runs and reaches PostgreSQL and Kafka: muster doctor
""",
        """Le service {name} ne donne plus signe de vie depuis le {at}. Avec lui : {names}.

Vérifiez que son processus tourne et joint PostgreSQL et Kafka : muster doctor
""",
    ),
    (Trouble.FAILED, True): (
        "The technical workflow {name}, which had failed on {at}, works again.\n",
        "Le workflow technique {name}, en échec depuis le {at}, fonctionne à nouveau.\n",
    ),
    (Trouble.LATE, True): (
        "The service {name}, silent since {at}, is back.\n",
        "Le service {name}, silencieux depuis le {at}, est de retour.\n",
    ),
}


def subject(mail: TroubleMail, language: str) -> str:
    """Return the subject line."""
    return "Muster: " + _text(_SUBJECTS[mail.trouble, mail.over], language).format(name=mail.name)


def body(mail: TroubleMail, language: str, zone: ZoneInfo) -> str:
    """Return what the mail says; times are in the instance's zone."""
    return _text(_BODIES[mail.trouble, mail.over], language).format(
        name=mail.name,
        names=", ".join(mail.names[:SHOWN_NAMES]) or "–",
        error=mail.error or "–",
        at=f"{mail.since.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})",
    )


def built(
    mail: TroubleMail, *, sender: str, recipient: str, language: str, zone: ZoneInfo, at: datetime
) -> bytes:
    """Return the mail as it is sent; its Message-ID is the same whenever it is."""
    made = EmailMessage(policy=SMTP_POLICY)
    made["From"] = Address("Muster", addr_spec=sender)
    made["To"] = Address(addr_spec=recipient)
    made["Subject"] = subject(mail, language)
    made["Date"] = format_datetime(at)
    made["Message-ID"] = f"<{mail.mail_id.hex}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made["Content-Language"] = language
    made.set_content(body(mail, language, zone))
    return made.as_bytes()


def _text(pair: tuple[str, str], language: str) -> str:
    return pair[1] if language == "fr" else pair[0]
