"""Targeting: the directory, consent, targetings, counts and snapshots."""
