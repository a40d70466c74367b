"""Sample mails of every kind, composed and signed as the sender does it."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from services.cli.demo.props import OFFER
from services.delivery.bounces.verp import envelope_sender
from services.delivery.compose import Composer
from services.delivery.dkim.keys import new_key, public_text, record_of
from services.delivery.dkim.signing import Algorithm, Signer, SigningKey
from services.delivery.domain.attachments import Attachment
from services.delivery.domain.content import Source, proof_prefix
from services.delivery.domain.runs import RunKind
from services.delivery.domain.tracking import NO_SWITCHES, Switch, Switches
from services.delivery.personal import LETTER
from services.delivery.rendering import prepare
from services.delivery.settings import DeliverySettings
from services.delivery.smtp import Mail
from services.delivery.store.sending import Claimed

DOMAIN: Final = "muster.example"
AT: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
PDF: Final = b"%PDF-1.7\n" + bytes(range(256)) * 40
EVERYTHING: Final[Switches] = frozenset(Switch)
FRENCH: Final = """<html><head><style>
h1 { color: #23395d; font-family: Georgia, serif } .prix { font-weight: bold }
@media (max-width: 480px) { h1 { font-size: 18px } }
</style></head><body>
<h1>Bonjour {{ contact.first_name }} 🎉</h1>
<p>L’été arrive à {{ site.town }} : « {{ site.name }} » bénéficie d’un tarif de
<span class="prix">1 234,50 €</span> jusqu’au 31 août. Où que vous soyez, ça vaut le coup ! 👩‍🔧</p>
<p><a href="https://offres.muster.example/été?ville={{ site.town }}">Voir l’offre</a></p>
<p><a href="{{ mirror_url }}">Afficher ce message dans le navigateur</a></p>
</body></html>"""
ORDER: Final = """<p>Thank you. Your order {{ ctx.order }} of {{ ctx.total }} is confirmed.</p>
<ul>{% for line in ctx.lines %}<li>{{ line.count }} × {{ line.what }}</li>{% endfor %}</ul>"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail to be sent.

    Attributes:
        name: what it is a sample of.
        is_campaign: whether its reader may unsubscribe from it.
        attached: what its attachment must hold.
    """

    name: str
    mail: Mail
    subject: str
    is_campaign: bool = False
    attached: bytes | None = None


@dataclass(slots=True)
class Keys:
    """An RSA and an Ed25519 key, and the DNS that publishes them."""

    keys: list[SigningKey] = field(
        default_factory=lambda: [
            SigningKey(DOMAIN, f"s{algorithm}", algorithm, new_key(algorithm))
            for algorithm in Algorithm
        ]
    )

    @property
    def signer(self) -> Signer:
        """What signs with both."""
        return Signer(self.keys)

    def look_up(self, name: bytes, timeout: int = 5) -> bytes | None:
        """Answer for the DNS, as dkimpy asks it."""
        assert timeout
        records = {
            f"{key.selector}._domainkey.{DOMAIN}.": record_of(
                key.algorithm, public_text(key.private)
            )
            for key in self.keys
        }
        found = records.get(name.decode())
        return found.encode() if found else None


def samples(settings: DeliverySettings, keys: Keys) -> list[Sample]:
    """Return mails of every kind: offer, French with emoji, attachment, proof, single message."""
    contact = {"first_name": "Zoé", "last_name": "Brûlé", "email": "zoe@x.example"}
    site = {"name": "Café & Moulin «Neuf»", "town": "Saint-Étienne"}
    merge: dict[str, Any] = {"contact": contact, "site": site}
    lines = [{"count": 2, "what": "Crème brûlée <fresh>"}, {"count": 1, "what": "Thé ☕"}]
    order = {"ctx": {"order": "A-1042", "total": "99.00 €", "lines": lines}}
    offer = _source(
        "{{ contact.first_name }}, our autumn offer for {{ site.name }}", OFFER, mjml=True
    )
    french = _source(
        "L’été à {{ site.town }} 🎉 : une offre pour {{ site.name }}, rien que pour vous, jusqu’au"
        " 31 août",
        FRENCH,
        language="fr",
    )
    plain = _source("The catalogue", "<p>Dear {{ contact.first_name }}, see the file.</p>")
    plain.attachments = (Attachment("Été 2026.pdf", "application/pdf", _digest(PDF)),)
    make = _Maker(settings, keys.signer)
    return [
        make("offer", offer, merge, subject="Zoé, our autumn offer for Café & Moulin «Neuf»"),
        make(
            "french",
            french,
            merge,
            subject="L’été à Saint-Étienne 🎉 : une offre pour Café & Moulin «Neuf», rien que pour"
            " vous, jusqu’au 31 août",
        ),
        make("attachment", plain, merge, subject="The catalogue", attached=PDF),
        make(
            "proof",
            french,
            merge | {LETTER: b64encode(PDF).decode()},
            subject="[BAT 3] L’été à Saint-Étienne 🎉 : une offre pour Café & Moulin «Neuf», rien"
            " que pour vous, jusqu’au 31 août",
            kind=RunKind.PROOF,
            attached=PDF,
        ),
        make(
            "order",
            _source("Your order {{ ctx.order }} is confirmed", ORDER, switches=NO_SWITCHES),
            order,
            subject="Your order A-1042 is confirmed",
            kind=RunKind.TRANSACTIONAL,
        ),
    ]


@dataclass(slots=True)
class _Written:
    """A source to be, and the files that go with it."""

    values: dict[str, Any]
    attachments: tuple[Attachment, ...] = ()

    @property
    def source(self) -> Source:
        return Source(**self.values, attachments=self.attachments)


def _source(
    subject: str,
    body: str,
    *,
    mjml: bool = False,
    language: str = "en",
    switches: Switches = EVERYTHING,
) -> _Written:
    return _Written(
        {
            "language": language,
            "subject": subject,
            "body": body,
            "mjml": mjml,
            "text": "",
            "from_name": "Atelier Müster, Étude",
            "from_address": f"offers@{DOMAIN}",
            "switches": switches,
        }
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    settings: DeliverySettings
    signer: Signer

    def __call__(
        self,
        name: str,
        written: _Written,
        merge: dict[str, Any],
        *,
        subject: str,
        kind: RunKind = RunKind.CAMPAIGN,
        attached: bytes | None = None,
    ) -> Sample:
        content = prepare(written.source)
        composer = Composer(content, self.settings, self.signer, files={_digest(PDF): PDF})
        row = Claimed(
            run_id=uuid4(),
            member_id=uuid4(),
            recipient_key="ab" * 16,
            address=f"{name}@x.example",
            merge=merge,
            number=1,
            kind=kind,
            template_hash=written.source.template_hash,
            campaign_number=None if kind is RunKind.TRANSACTIONAL else 7,
            campaign_label="" if kind is RunKind.TRANSACTIONAL else "Été",
            subject_prefix=proof_prefix("fr", 3) if kind is RunKind.PROOF else "",
            retry_until=AT,
        )
        sender = envelope_sender(self.settings, row.run_id, row.member_id, content.from_address)
        mail = Mail(sender, row.address, composer.compose(row, at=AT))
        is_campaign = kind is RunKind.CAMPAIGN
        return Sample(name, mail, subject, is_campaign=is_campaign, attached=attached)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
