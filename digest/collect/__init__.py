"""Feeds → posts: fetch, parse, keep, and never let one feed stop the others."""
