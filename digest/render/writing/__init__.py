"""Lay out texts: plain lines, and the Markdown that editors write."""
