"""Decide when anything is due; pure functions."""
