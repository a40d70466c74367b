"""Inbound bounces and complaints: received, kept, read, matched to messages, counted."""
