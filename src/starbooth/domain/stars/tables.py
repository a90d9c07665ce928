"""Rows of the ledger."""

from enum import StrEnum

from sqlalchemy import Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from starbooth.base.database import PUBLIC


class TransactionType(StrEnum):
    """Why stars moved."""

    PURCHASE = "PURCHASE"
    GENERATION = "GENERATION"
    TRAINING = "TRAINING"
    REFUND = "REFUND"
    ADMIN_GRANT = "ADMIN_GRANT"
    BONUS = "BONUS"


class TransactionStatus(StrEnum):
    """How far a movement has come."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


star_transactions = Table(
    "StarTransaction",
    PUBLIC,
    Column("id", Text, primary_key=True),
    Column("userId", Text, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("type", ENUM(TransactionType, name="TransactionType", schema="public", create_type=False)),
    Column("telegramPaymentChargeId", Text),
    Column("status", ENUM(TransactionStatus, name="TransactionStatus", schema="public", create_type=False)),
    Column("metadata", JSONB),
    Column("createdAt", DateTime, nullable=False),
)
