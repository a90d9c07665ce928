"""Alembic migrations. They run forward only, each in one transaction with a lock timeout."""
