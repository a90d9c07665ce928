"""The time. Everything that must be told the time takes it as an argument; only doors and jobs ask here."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
