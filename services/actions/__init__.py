"""Actions: models, generated actions, deals obtained, dossier items, and their moves."""
