"""The command line: ``muster``, for whoever sets up, runs and looks after an instance.

Nothing is imported here: a service's process must not pay for the demo.
"""
