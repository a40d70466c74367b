"""The servers the demo and the tests run on: no Docker, no system package, no rights needed.

``cluster.EmbeddedCluster`` starts Kafka, PostgreSQL and the mail catcher of one folder;
``python -m deploy.embedded start|stop|status|env`` does so by hand.
"""
