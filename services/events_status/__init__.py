"""Message Center: outside events, their routing to templates, and their statuses."""
