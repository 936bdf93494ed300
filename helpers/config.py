"""Settings from a YAML file. What is wrong is said in one line: the file, the key and, if it is misspelt, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from helpers.risk_manager import RiskLimits

T = TypeVar("T")


class ConfigError(Exception):
    """The settings can't be used; the message is for the person who wrote them."""


@dataclass(frozen=True)
class BotSettings:
    """`venues`: where the bot may trade; none named means every venue there is. `limits_dir`: where processes behind
    one address share the venues' request budgets; "" means a folder of this user's own. `journal`: the SQLite file. Times in market ms.

    `tick_ms`: how often strategies hear that time passed. `rank_every_ms`: between two looks at the ranking.
    `funding_every_ms`: between two readings of booked funding. `settle_attempts`, `settle_wait_ms`: how often and how far
    apart wallets are read again when they do not match the ledger yet. `gone_after_ms`: how long an order must be missing
    before it counts as never arrived.
    """

    venues: tuple[str, ...] = ()
    journal: str = "bot.sqlite3"
    service_url: str = "http://127.0.0.1:8000"
    limits_dir: str = ""
    tick_ms: int = 1_000
    rank_every_ms: int = 30_000
    funding_every_ms: int = 300_000
    settle_attempts: int = 10
    settle_wait_ms: int = 2_000
    gone_after_ms: int = 10_000

    def __post_init__(self) -> None:
        if len(set(self.venues)) == 1:
            raise ValueError("a pair needs at least two venues")
        if min(self.tick_ms, self.rank_every_ms, self.funding_every_ms, self.settle_wait_ms) <= 0:
            raise ValueError("times must be positive")

    def scaled(self, speed: float) -> BotSettings:
        """The same on a clock `speed` times as fast as the wire."""
        changed = {f.name: round(getattr(self, f.name) * speed) for f in fields(self) if f.name.endswith("_ms")}
        return BotSettings(**{f.name: getattr(self, f.name) for f in fields(self)} | changed)


@dataclass(frozen=True)
class BotConfig:
    """One file's content. `settings` is the strategy's own dataclass."""

    strategy: str
    settings: Any
    bot: BotSettings
    risk: RiskLimits = field(default_factory=RiskLimits)


def load(path: Path, settings_of: Callable[[str], type[Any]]) -> BotConfig:
    """Read one file. `settings_of` gives the dataclass of a strategy's settings by the strategy's name.

    Raises ConfigError for a missing or unreadable file, an unknown key or a bad value, and whatever `settings_of` raises.
    """
    content = read(path)
    _known(content, ("strategy", "settings", "bot", "risk"), path, "")
    name = content.get("strategy")
    if not isinstance(name, str):
        raise ConfigError(f"{path}: strategy: the name of a strategy is wanted, not {name!r}")
    settings = build(settings_of(name), content.get("settings") or {}, path, "settings")
    bot = build(BotSettings, content.get("bot") or {}, path, "bot")
    return BotConfig(name, settings, bot, build(RiskLimits, content.get("risk") or {}, path, "risk"))


def read(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}:{where} is not YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a mapping of keys to values is wanted, not {type(content).__name__}")
    return content


def build(kind: type[T], content: Any, path: Path, where: str) -> T:
    """A dataclass filled from a mapping, nested ones included. `where`: the key it stands under. Raises ConfigError."""
    _check_keys(kind, content, path, where)
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join([where, *(str(part) for part in first["loc"])])
        shown = f", not {first['input']!r}" if isinstance(first["input"], str | int | float | bool | Decimal) else ""
        raise ConfigError(f"{path}: {key}: {first['msg'].removeprefix('Value error, ')}{shown}") from error


def _check_keys(kind: Any, content: Any, path: Path, where: str) -> None:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path}: {where}: a mapping of keys to values is wanted, not {content!r}")
    hints = get_type_hints(kind)
    _known(content, tuple(f.name for f in fields(kind)), path, where)
    for name, inner in hints.items():
        if is_dataclass(inner) and name in content:
            _check_keys(inner, content[name], path, f"{where}.{name}")


def _known(content: Mapping[Any, Any], known: tuple[str, ...], path: Path, where: str) -> None:
    for key in content:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
            raise ConfigError(f"{path}: unknown key {'.'.join(filter(None, [where, str(key)]))}{hint}")
