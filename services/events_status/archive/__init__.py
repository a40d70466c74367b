"""The archive of Message Center: what is left of events for a year, synchronised per account."""
