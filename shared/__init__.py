"""The messaging core every service is built on: one transaction, one relay, one consumer loop."""
