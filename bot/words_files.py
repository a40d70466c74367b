"""What lists as files say, in English and French."""

from __future__ import annotations

from typing import Final

FILES: Final[dict[str, tuple[str, str]]] = {
    "as_file": ("As a file", "En fichier"),
    "file_comes": (
        "The file comes among your direct messages.",
        "Le fichier arrive dans vos messages directs.",
    ),
    "file_late": (
        "The file could not be sent. Please ask for it again.",
        "Le fichier n’a pas pu être envoyé. Veuillez le redemander.",
    ),
    "file_is": (
        "{title}, as of {at}: {count} rows.",
        "{title}, au {at} : {count} lignes.",
    ),
    "file_cut": (
        "{title}, as of {at}: the first {count} rows; there are more.",
        "{title}, au {at} : les {count} premières lignes ; il y en a plus.",
    ),
    "approvals_sheet": ("Approvals", "Validations"),
    "sheet_low": ("low", "bas"),
    "col_number": ("Number", "Numéro"),
    "col_kind": ("What", "Objet"),
    "col_sent": ("Sent", "Envoyés"),
    "col_failed": ("Failed", "En échec"),
    "col_pending": ("Pending", "En attente"),
    "col_currency": ("Currency", "Devise"),
    "col_allocated": ("Allocated", "Alloué"),
    "col_planned": ("Planned", "Planifié"),
    "col_reserved": ("Reserved", "Réservé"),
    "col_committed": ("Committed", "Engagé"),
    "col_spent": ("Spent", "Dépensé"),
    "col_invoiced": ("Invoiced", "Facturé"),
    "col_left": ("Left", "Disponible"),
    "col_in_stock": ("In stock", "En stock"),
    "col_free": ("Free", "Libre"),
    "col_on_order": ("On order", "En commande"),
    "col_alert_level": ("Alert level", "Seuil d’alerte"),
    "col_alert": ("Alert", "Alerte"),
}
