"""The words of the catcher's pages, in English and French."""

from collections.abc import Mapping

LANGUAGES = ("en", "fr")
_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Mail catcher", "Boîte de test"),
    "lead": (
        "Every mail the demo sends ends here; none leaves this machine.",
        "Tous les mails de la démo arrivent ici ; aucun ne quitte cette machine.",
    ),
    "kept": ("mails kept", "mails conservés"),
    "none": ("No mail yet.", "Aucun mail pour l’instant."),
    "list": ("Mails, newest first", "Mails, du plus récent au plus ancien"),
    "received": ("Received", "Reçu"),
    "from": ("From", "De"),
    "to": ("To", "À"),
    "envelope": ("Delivered to", "Remis à"),
    "subject": ("Subject", "Objet"),
    "no_subject": ("(no subject)", "(sans objet)"),
    "size": ("Size", "Taille"),
    "older": ("Older", "Plus anciens"),
    "newest": ("Newest", "Plus récents"),
    "back": ("All mails", "Tous les mails"),
    "shown": ("As displayed", "Affichage"),
    "text": ("Text", "Texte"),
    "attachments": ("Attachments", "Pièces jointes"),
    "headers": ("Headers", "En-têtes"),
    "raw": ("Source", "Source"),
    "save": ("Download (.eml)", "Télécharger (.eml)"),
    "remote": (
        "Remote pictures are not loaded. Load them",
        "Les images distantes ne sont pas chargées. Les charger",
    ),
    "unnamed": ("unnamed", "sans nom"),
    "missing": ("No mail has this number.", "Aucun mail ne porte ce numéro."),
    "skip": ("Skip to content", "Aller au contenu"),
    "other_language": ("Français", "English"),
}


def words(language: str) -> dict[str, str]:
    """Return the words of one of ``LANGUAGES``."""
    column = LANGUAGES.index(language)
    return {name: both[column] for name, both in _WORDS.items()}


def choose_language(asked: str | None, accepted: str) -> str:
    """Return the language asked for, else the first one the browser accepts, else English."""
    if asked in LANGUAGES:
        return asked
    wishes = (part.split(";")[0].strip()[:2].lower() for part in accepted.split(","))
    return next((wish for wish in wishes if wish in LANGUAGES), "en")
