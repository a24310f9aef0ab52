"""Screens that go on: what ``cyme top`` shows."""
