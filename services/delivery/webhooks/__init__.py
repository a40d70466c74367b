"""Webhooks: registered endpoints, their secrets, and the signature of what they get."""
