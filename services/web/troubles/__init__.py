"""Mails to supervisors: web knows the operators' addresses, and nobody else does."""
