"""Single messages over HTTP: SMS by a gateway, webhooks to registered endpoints."""
