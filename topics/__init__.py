"""The contract: what travels between services, under which names, and how it looks on the wire.

Nothing here does I/O. A message is a frozen pydantic model bound to one topic and one key;
:mod:`topics.cloudevents` turns it into a CloudEvents 1.0 Kafka record and back.
"""
