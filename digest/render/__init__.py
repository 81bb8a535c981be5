"""Editions and notices → HTML and plain text."""
