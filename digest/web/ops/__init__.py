"""Show operators what is going on, and let them act on it."""
