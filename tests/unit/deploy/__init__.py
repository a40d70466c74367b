"""Tests of the embedded servers that need no server."""
