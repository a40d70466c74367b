"""From a template to the bytes of a mail: what is done once per content, and what per recipient."""
