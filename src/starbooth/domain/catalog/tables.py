"""Rows of base models and offers."""

from enum import StrEnum

from sqlalchemy import Boolean, Column, DateTime, Float, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, ENUM

from starbooth.base.database import BOOTH, PUBLIC


class BaseModelType(StrEnum):
    """The base models that the contract knows."""

    FLUX = "FLUX"
    FLUX_FAST = "FLUX_FAST"
    FLUX_PORTRAIT = "FLUX_PORTRAIT"


class LoraType(StrEnum):
    """What a LoRA model teaches, by the contract's names: a style or thing, or a person."""

    STYLE = "STYLE"
    PORTRAIT = "PORTRAIT"


base_models = Table(
    "BaseModel",
    PUBLIC,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("type", ENUM(BaseModelType, name="BaseModelType", schema="public", create_type=False)),
    Column("isDefault", Boolean, nullable=False),
)

offers = Table(
    "offers",
    BOOTH,
    Column("base_model_id", Text, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("photo_endpoint", Text),
    Column("loras_endpoint", Text),
    Column("loras_photo_endpoint", Text),
    Column("engines", ARRAY(Text), nullable=False),
    Column("negative_engines", ARRAY(Text), nullable=False),
    Column("price_stars", Integer, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("least_steps", Integer, nullable=False),
    Column("most_steps", Integer, nullable=False),
    Column("guidance", Float, nullable=False),
    Column("least_guidance", Float, nullable=False),
    Column("most_guidance", Float, nullable=False),
    Column("strength", Float, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
