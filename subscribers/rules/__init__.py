"""Decisions about the list; pure functions."""
