"""Settings from a YAML file. What is wrong is said in one line: the file, the key and, if it is misspelt, what was meant."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from helpers.risk_manager import RiskLimits

T = TypeVar("T")

SLIPPAGE_BPS_MAX = 200


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
        if self.settle_attempts < 1:
            raise ValueError("settle_attempts must be at least 1")

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
    risk = build(RiskLimits, content.get("risk") or {}, path, "risk")
    leverage = getattr(settings, "leverage", 1)
    if leverage > risk.leverage_max:
        raise ConfigError(f"{path}: settings.leverage: {leverage} is above risk.leverage_max, which is {risk.leverage_max}")
    return BotConfig(name, settings, bot, risk)


class _OneOfEachKey(yaml.SafeLoader):
    """YAML in which a mapping names a key once; which of two values was meant, nobody can tell."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        content = yaml.load(text, _OneOfEachKey)  # it is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        what = "" if isinstance(error, yaml.constructor.ConstructorError) else " is not YAML:"
        raise ConfigError(f"{path}:{where}{what} {getattr(error, 'problem', None) or error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a mapping of keys to values is wanted, not {type(content).__name__}")
    return content


def build(kind: type[T], content: Any, path: Path, where: str) -> T:
    """A dataclass filled from a mapping, nested ones included. `where`: the key it stands under. Raises ConfigError."""
    _check_keys(kind, content, path, where)
    try:
        built = TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join([where, *(str(part) for part in first["loc"])])
        shown = f", not {first['input']!r}" if isinstance(first["input"], str | int | float | bool | Decimal) else ""
        raise ConfigError(f"{path}: {key}: {first['msg'].removeprefix('Value error, ')}{shown}") from error
    _check_values(built, path, where)
    return built


def _check_values(built: Any, path: Path, where: str) -> None:
    """What no field can mean, whoever it belongs to: no number, no time at all, a maximum below its minimum, a price far off."""
    values = {f.name: getattr(built, f.name) for f in fields(built)}
    for name, value in values.items():
        if is_dataclass(value):
            _check_values(value, path, f"{where}.{name}")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float | Decimal) and not math.isfinite(number):
                raise ConfigError(f"{path}: {where}.{name}: a finite number is wanted, not {number}")
            if "slippage_bps" in name and number > SLIPPAGE_BPS_MAX:
                raise ConfigError(f"{path}: {where}.{name}: slippage above {SLIPPAGE_BPS_MAX} bps (2 %) can't be meant")
            least = 0 if name.endswith("_min") else 1
            if "_ms" in name and isinstance(number, int) and number < least:
                raise ConfigError(f"{path}: {where}.{name}: at least {least} ms are wanted, not {number}")
        lower = values.get(f"{name.removesuffix('_max')}_min") if name.endswith("_max") else None
        if lower is not None and value is not None and value < lower:
            raise ConfigError(f"{path}: {where}.{name}: {value} is below {name.removesuffix('_max')}_min, which is {lower}")


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
