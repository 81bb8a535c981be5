"""The commands with which editors change an edition."""
