"""Decide how fast messages may be sent. Pure."""
