"""DKIM: keys of sending domains, and the signatures made with them (RFC 6376, RFC 8463)."""
