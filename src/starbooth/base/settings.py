"""Every setting: its type, unit, default and meaning. Read once at start, from `starbooth.toml` and the
environment.

The environment wins over the file. `DATABASE_URL` and `FAL_KEY` have the names that the world gives them;
everything else begins with `STARBOOTH_`. Secrets never print.
"""

import os
import re
import secrets
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from starbooth.base.errors import SettingError
from starbooth.base.prices import Pack, parse_packs, parse_plan

FILE = "starbooth.toml"
_ENGINE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}=https?://[^\s,]+")


class Settings(BaseSettings):
    """All settings. Frozen: a running process never changes its mind."""

    model_config = SettingsConfigDict(
        env_prefix="STARBOOTH_",
        toml_file=FILE,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        env_ignore_empty=True,
    )

    home: Path = Field(default=Path(".starbooth"), description="Folder for all that we keep on this disk.")
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="postgresql://… of PostgreSQL 15 or newer. Empty: our own server in `home`.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8500", description="Where guests and engines reach the web process."
    )
    storage: str = Field(default="", description="file:///path or s3://bucket/prefix. Empty: `home`/storage.")
    secret: SecretStr | None = Field(
        default=None, min_length=32, description="Signs links and hooks. Empty: made once and kept in `home`."
    )

    telegram_token: SecretStr | None = Field(default=None, description="The bot's token from @BotFather.")
    telegram_api: str = Field(default="https://api.telegram.org", description="The Bot API server.")
    telegram_webhook: bool = Field(
        default=False, description="Receive updates by webhook at `public_url` instead of long polling."
    )

    fal_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("FAL_KEY", "fal_key"),
        description="Key of fal.ai. Empty: the darkroom paints.",
    )
    engine_url: str | None = Field(
        default=None, description="A darkroom, which is preferred to fal.ai where both are set."
    )
    engine_key: SecretStr | None = Field(default=None, description="The key for `engine_url`.")
    engines: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        default=(),
        description="More engines of your own with the same key: name=http://host:port, with commas between.",
    )
    engine_slots: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Orders in an engine at one time, until `starbooth engines set`.",
    )
    engine_account: str | None = Field(
        default=None, description="Account id of your own engines; webhooks that name another are refused."
    )
    engine_usd_per_hour: Decimal = Field(
        default=Decimal(0),
        ge=0,
        le=1000,
        description="What an hour of your own engines' painting costs you, for `starbooth costs`.",
    )
    fal_account: str | None = Field(
        default=None, description="Your account id at fal.ai; webhooks that name another are refused."
    )
    fal_url: str | None = Field(
        default=None, description="Where fal.ai is reached, if by a proxy of your own. Empty: fal.ai itself."
    )

    operators: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(), description="Telegram ids of the people who run this booth, with commas between."
    )
    welcome_stars: int = Field(default=20, ge=0, le=10_000, description="Stars for a new guest, once.")
    daily_stars: int = Field(
        default=0, ge=0, le=10_000, description="Stars for who asks by /daily, once a day (UTC). 0: none."
    )
    referral_stars: int = Field(
        default=10,
        ge=0,
        le=10_000,
        description="Stars for a guest and for the friend they brought, after the friend's first purchase.",
    )
    referral_cap: int = Field(
        default=20, ge=0, le=100_000, description="How many friends a guest is rewarded for."
    )
    packs: Annotated[tuple[Pack, ...], NoDecode] = Field(
        default=parse_packs("50=50, 100=100, 250+15=250, 500+50=500, 1000+150=1000"),
        description="What is on sale: stars=xtr or stars+bonus=xtr, with commas between.",
    )
    plan: Annotated[Pack | None, NoDecode] = Field(
        default=parse_plan("300+60=300"), description="The monthly plan, as a pack is written, or none."
    )
    invoice_hours: int = Field(default=24, ge=1, le=720, description="How long an invoice can be paid.")
    second_payment: Literal["credit", "refund"] = Field(
        default="credit", description="What becomes of a second payment of one invoice."
    )
    reconcile_minutes: int = Field(
        default=15, ge=1, le=1440, description="How often Telegram's list of payments is compared with ours."
    )
    support: str = Field(
        default="", max_length=200, description="Who to ask about payments, for /paysupport: @name or e-mail."
    )
    maker_share_percent: int = Field(
        default=50,
        ge=0,
        le=100,
        description="What of the fee for a public model its maker gets, as a bonus.",
    )
    photo_pack_discount_percent: int = Field(
        default=20,
        ge=0,
        le=90,
        description="What the pictures of a photo pack cost less than one by one.",
    )
    payout_minutes: int = Field(
        default=60, ge=1, le=10_080, description="How often a maker is paid what was gathered, at most."
    )
    active_orders_per_guest: int = Field(default=10, ge=1, le=1000, description="Waiting and running.")
    order_deadline_s: int = Field(default=900, ge=5, le=86_400, description="A picture's longest wait.")
    active_trainings_per_guest: int = Field(
        default=2, ge=1, le=100, description="Trainings waiting and running, beside the pictures."
    )
    training_deadline_s: int = Field(
        default=21_600, ge=5, le=604_800, description="A training's longest time, with its wait."
    )
    training_photos_days: int = Field(
        default=7, ge=1, le=90, description="How long photos stay after a training, for another try."
    )

    first_pictures: int = Field(
        default=2,
        ge=0,
        le=4,
        description="Pictures that a new model makes by itself, at no price. 0: none.",
    )

    prompt_refusals: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Prompts of a guest that may be refused in an hour before a pause. 0: any number.",
    )
    prompt_pause_minutes: int = Field(
        default=30, ge=1, le=1440, description="How long a guest's prompts are not looked at then."
    )
    prompt_check_url: str | None = Field(
        default=None,
        description="A checker of your own that is asked about every prompt before it is ordered.",
    )
    prompt_check_key: SecretStr | None = Field(
        default=None, description="Sent to `prompt_check_url` as a bearer token."
    )
    prompt_check_away: Literal["allow", "refuse"] = Field(
        default="allow", description="What becomes of prompts that the checker cannot be asked about."
    )

    web_host: str = Field(default="127.0.0.1", description="Address that the web process listens on.")
    web_port: int = Field(default=8500, ge=0, le=65_535, description="Port that the web process listens on.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("operators", mode="before")
    @classmethod
    def _split_operators(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("engines", mode="before")
    @classmethod
    def _split_engines(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if any(not _ENGINE.fullmatch(f"{name}={url}") for name, _, url in pairs):
            raise ValueError("must be name=http://host:port, with commas between; names are a-z, 0-9 and -")
        names = [name for name, _, _ in pairs]
        if len({*names, "darkroom", "fal"}) != len(names) + 2:
            raise ValueError("names each engine once, and none of them darkroom or fal")
        return tuple((name, url.rstrip("/")) for name, _, url in pairs)

    @field_validator("packs", mode="before")
    @classmethod
    def _parse_packs(cls, value: object) -> object:
        return parse_packs(value) if isinstance(value, str) else value

    @field_validator("plan", mode="before")
    @classmethod
    def _parse_plan(cls, value: object) -> object:
        return parse_plan(value) if isinstance(value, str) else value

    @field_validator("public_url", "telegram_api", "engine_url", "fal_url", "prompt_check_url")
    @classmethod
    def _without_final_slash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library calls by these names
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def storage_url(self) -> str:
        """Where files are kept: the setting, or a folder in `home`."""
        return self.storage or f"file://{(self.home / 'storage').resolve()}"

    @property
    def token(self) -> str:
        """The bot's token. Raises SettingError where there is none: callers need it to go on."""
        if self.telegram_token is None:
            raise SettingError("STARBOOTH_TELEGRAM_TOKEN", "is missing; ask @BotFather for one.")
        return self.telegram_token.get_secret_value()

    def signing_secret(self) -> bytes:
        """The secret behind signed links. Made once in `home/secret` where the setting is empty.

        Two processes that start at once agree: the file is created exclusively and the loser reads it.
        """
        if self.secret is not None:
            return self.secret.get_secret_value().encode()
        return _kept_secret(self.home / "secret")


def _kept_secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_hex(32))
    try:
        os.link(fresh, path)  # atomic, and refuses to replace what is there
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text().strip().encode()


def read_settings(**arguments: object) -> Settings:
    """Read all settings. Raises SettingError naming the first one that is missing or wrong.

    An environment variable that is set to nothing counts as not set.
    """
    try:
        return Settings(**arguments)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SettingError(_setting_name(first["loc"]), first["msg"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(FILE, f"is not TOML: {error}") from None


def _setting_name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "starbooth.toml"
    return name if name in ("DATABASE_URL", "FAL_KEY") else f"STARBOOTH_{name.upper()}"
