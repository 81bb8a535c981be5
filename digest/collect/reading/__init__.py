"""Documents → clean posts; pure functions."""
