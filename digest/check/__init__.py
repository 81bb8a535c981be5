"""Check everything that a publication needs before it is needed."""
