"""Message Center alone: killed while events come in by every door, are routed, sent and told."""
