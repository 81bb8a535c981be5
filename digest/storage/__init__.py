"""Keep everything in a database, with SQLAlchemy Core, on SQLite or PostgreSQL."""
