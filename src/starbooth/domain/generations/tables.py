"""Rows of pictures."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from starbooth.base.database import PUBLIC

generations = Table(
    "Generation",
    PUBLIC,
    Column("id", Text, primary_key=True),
    Column("userId", Text, nullable=False),
    Column("baseModelId", Text, nullable=False),
    Column("loraId", Text),
    Column("prompt", Text, nullable=False),
    Column("negativePrompt", Text),
    Column("imageUrl", Text, nullable=False),
    Column("seed", BigInteger),
    Column("starsUsed", Integer, nullable=False),
    Column("metadata", JSONB),
    Column("createdAt", DateTime, nullable=False),
)
