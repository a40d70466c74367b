"""Enrichment: between routing and its message, an event's ctx may be added to by a service."""
