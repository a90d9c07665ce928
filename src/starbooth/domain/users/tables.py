"""Rows of people."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text

from starbooth.base.database import BOOTH, PUBLIC

users = Table(
    "User",
    PUBLIC,
    Column("id", Text, primary_key=True),
    Column("telegramId", Text, nullable=False, unique=True),
    Column("username", Text),
    Column("stars", Integer, nullable=False),
    Column("totalSpentStars", Integer, nullable=False),
    Column("totalBoughtStars", Integer, nullable=False),
    Column("createdAt", DateTime, nullable=False),
    Column("updatedAt", DateTime, nullable=False),
)

guests = Table(
    "guests",
    BOOTH,
    Column("user_id", Text, primary_key=True),
    Column("chat_id", BigInteger, nullable=False),
    Column("language", Text, nullable=False),
    Column("has_blocked_bot", Boolean, nullable=False),
    Column("met_at", DateTime(timezone=True), nullable=False),
)
