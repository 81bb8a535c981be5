"""What is kept, in SQLAlchemy Core, on SQLite and PostgreSQL."""
