"""Rows and domain values: the only floor that speaks SQL, on SQLite and PostgreSQL alike."""
