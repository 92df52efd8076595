"""Companies and vehicles in PostgreSQL."""
