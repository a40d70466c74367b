"""Event intake: outside events pushed over HTTP, to the same two topics that Kafka clients use."""
