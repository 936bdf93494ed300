"""Settings, from the environment only. Every field is FUNDING_<NAME> except DATABASE_URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from exchange_clients import registry
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import SystemClock
from exchange_clients.errors import Misconfigured
from funding_rate_service.errors import StartupError

INTERVAL_LOOP_S_MIN = 0.25
"""However fast the market clock runs, a venue is not asked more often than this (seconds of the event loop)."""


def _default_data_dir() -> Path:
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/funding-rate-service")
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "funding-rate-service"


class VenueUrls(BaseModel):
    """Host roots of one venue's sandbox, for example http://127.0.0.1:4001; the venue's own paths are appended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rest: str
    websocket: str = ""


class Settings(BaseSettings):
    """All settings. Durations in `_s` are seconds of market time unless the name says loop.

    `database_url`: an existing PostgreSQL; without it an embedded one keeps its files in `data_dir`.
    `venues`: comma-separated; default: all. `clock`: text of SystemClock.as_text; empty is the machine's clock.
    `stale_after_s`: an observation older than this is not ranked; default: five collection intervals, at least 300.
    `limits_dir`: where processes behind one address share the venues' request budgets; default: a folder of this user's own.
    `price_band`: how far two venues' marks may lie apart, as a fraction, for the pair to be the same asset.
    """

    model_config = SettingsConfigDict(env_prefix="FUNDING_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    data_dir: Path = Field(default_factory=_default_data_dir)
    venues: Annotated[tuple[str, ...], NoDecode] = Field(default_factory=registry.names)
    environment: Environment = Environment.LIVE
    venue_urls: dict[str, VenueUrls] = Field(default_factory=dict)
    clock: str = ""
    collection_interval_s: float = Field(default=60.0, gt=0)
    collection_timeout_loop_s: float = Field(default=30.0, gt=0)
    stale_after_s: float | None = Field(default=None, gt=0)
    price_band: float = Field(default=0.02, gt=0, lt=1)
    history_hours: int = Field(default=168, ge=48, le=2000)
    die_with_parent: bool = False
    limits_dir: Path | None = None

    @field_validator("venues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(name.strip() for name in value.split(",") if name.strip())
        return value or registry.names()

    @field_validator("venues")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name.lower() not in registry.names()]
        if unknown:
            raise ValueError(f"unknown venue {', '.join(unknown)}; known are {', '.join(registry.names())}")
        return tuple(dict.fromkeys(name.lower() for name in value))

    @field_validator("clock")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            SystemClock.from_text(value)
        except ValueError as error:
            raise ValueError("not a clock; expected speed:real_origin_ms:market_origin_ms") from error
        return value

    @model_validator(mode="after")
    def _urls_where_needed(self) -> Settings:
        missing = [name for name in self.venues if name not in self.venue_urls]
        if self.environment is Environment.SANDBOX and missing:
            raise ValueError(f"the sandbox needs FUNDING_VENUE_URLS for {', '.join(missing)}")
        return self

    def interval_loop_s(self, speed: float) -> float:
        """Seconds of the event loop between two collections of a venue, on a clock that runs at `speed`."""
        return max(self.collection_interval_s / speed, INTERVAL_LOOP_S_MIN)

    def stale_after_ms(self, speed: float) -> int:
        """Market milliseconds after which an observation is stale."""
        if self.stale_after_s is not None:
            return round(self.stale_after_s * 1000)
        return round(max(300.0, 5 * self.interval_loop_s(speed) * speed) * 1000)


def load_settings() -> Settings:
    """Settings from the environment. Raises StartupError with one line that names the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        place = "_".join(str(part) for part in first["loc"]).upper()
        name = place if place in ("", "DATABASE_URL") else f"FUNDING_{place}"
        text = first["msg"].removeprefix("Value error, ")
        raise StartupError(f"settings: {name}: {text}" if name else f"settings: {text}") from error
    except SettingsError as error:
        raise StartupError(f"settings: {error}; FUNDING_VENUE_URLS is JSON: venue to {{rest, websocket}}") from error
    except Misconfigured as error:
        raise StartupError(f"settings: {error}") from error
