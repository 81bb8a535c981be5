"""Storage: the list of subscribers in the database."""
