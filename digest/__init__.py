"""Feeds in, one calm mail a day out: collect, compose, send."""

__version__ = "0.1.0"
