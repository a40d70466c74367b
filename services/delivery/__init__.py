"""The delivery service: templates, proofs, approvals, the recipient ledger, SMTP, opt-outs."""
