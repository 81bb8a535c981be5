"""Decide what a server's answers mean for a delivery, and for the edition as a whole. Pure."""
