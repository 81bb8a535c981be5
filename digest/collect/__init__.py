"""Feeds → posts: fetch, parse and save; a feed that fails never stops the others."""
