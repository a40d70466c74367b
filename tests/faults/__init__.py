"""Fault tests: real service processes that die, freeze and are told everything several times."""
