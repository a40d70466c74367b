"""The columns of the lists people see, in both languages (source: ARTIS CRM, "Les campagnes")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["en", "fr"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its field, and its title in English and French."""

    field: str
    en: str
    fr: str

    def title(self, language: Language) -> str:
        """Return the title in a language."""
        return self.fr if language == "fr" else self.en


ACTIONS: Final = (
    Column("action", "Action", "Action"),
    Column("reason", "Reason", "Motif"),
    Column("subject", "Subject", "Objet"),
    Column("sender", "Sender", "Émetteur"),
    Column("recipient", "Recipient", "Destinataire"),
    Column("due_on", "Due date", "Date d'échéance"),
    Column("site", "Site", "Site"),
    Column("postal_code", "Postal code", "Code postal"),
    Column("city", "City", "Ville"),
    Column("phone", "Phone", "Téléphone"),
    Column("contact", "Contact", "Contact"),
    Column("direct_line", "Direct line", "Ligne directe"),
    Column("mobile", "Mobile", "Mobile"),
    Column("mail", "Mail", "Mail"),
    Column("executed_on", "Executed on", "Date d'exécution"),
    Column("report", "Report", "Compte rendu"),
    Column("cancelled_on", "Cancelled on", "Date d'annulation"),
    Column("created", "Created", "Crée le"),
)
DEALS: Final = (
    Column("business_line", "Business line", "Métier"),
    Column("market", "Market", "Marché"),
    Column("offer_owner", "Offer owner", "Responsable de l'offre"),
    Column("product", "Product offered", "Produit proposé"),
    Column("status", "Status", "Statut"),
    Column("expected_signature_on", "Expected signature", "Date signature prévisionnelle"),
    Column("revenue", "Total revenue", "CA global"),
    Column("site", "Site", "Site"),
    Column("contact", "Customer contact", "Contact client"),
    Column("margin", "Total margin", "Marge globale"),
    Column("probability_percent", "Sale probability", "Probabilité de vente"),
    Column("success_percent", "Success %", "% de réussite"),
    Column("comment", "Comment", "Commentaire"),
    Column("handled_on", "Handled on", "Date affaire traitée"),
    Column("cancel_reason", "Cancel reason", "Motif d'annulation"),
    Column("created", "Created", "Créée le"),
)
TITLES: Final[dict[str, dict[Language, str]]] = {
    "next": {"en": "Next actions", "fr": "Actions suivantes"},
    "results": {"en": "Results", "fr": "Résultats"},
    "deals": {"en": "Deals obtained", "fr": "Affaires obtenues"},
}
STATUSES: Final[dict[str, dict[Language, str]]] = {
    "waiting": {"en": "Waiting", "fr": "En attente"},
    "suspended": {"en": "Suspended", "fr": "Suspendue"},
    "executed": {"en": "Executed", "fr": "Exécutée"},
    "finished": {"en": "Finished", "fr": "Terminée"},
    "cancelled": {"en": "Cancelled", "fr": "Annulée"},
    "open": {"en": "Open", "fr": "Ouverte"},
}
