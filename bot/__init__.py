"""The Slack front: commands, forms and cards; it talks to services by messages alone."""
