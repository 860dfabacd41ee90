"""Fixtures of this service. A fixture here takes the place of one in plugin.py."""

pytest_plugins = ["tests.plugin"]
