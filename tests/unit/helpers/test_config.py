"""Settings: what a person gets wrong is said in one line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from helpers.config import BotConfig, ConfigError, load
from strategies.factory import UnknownStrategy, kind

GOOD = """
strategy: funding_arbitrage
bot: {venues: [a, b], journal: x.db}
settings: {size_usd: 250.5, execution: {hedge_slippage_bps: [5, 50]}, exit: {hold_ms_min: 0, hold_ms_max: 60000}}
risk: {leverage_max: 3}
"""


def loaded(tmp_path: Path, text: str) -> BotConfig:
    file = tmp_path / "bot.yaml"
    file.write_text(text)
    return load(file, lambda name: kind(name).config)


def test_a_good_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, GOOD)
    assert config.settings.size_usd == Decimal("250.5")
    assert config.settings.execution.hedge_slippage_bps == (5.0, 50.0)
    assert config.settings.exit.hold_ms_max == 60_000
    assert config.risk.leverage_max == 3
    assert config.bot.venues == ("a", "b")


def test_the_file_that_comes_with_the_product_shows_the_defaults(root: Path) -> None:
    config = load(root / "configs" / "funding_arbitrage.yaml", lambda name: kind(name).config)
    assert config.settings == kind("funding_arbitrage").config()
    assert config.risk == type(config.risk)()
    assert config.bot == type(config.bot)(venues=config.bot.venues)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("size_usd", "size_usdd"), "unknown key settings.size_usdd; did you mean size_usd?"),
        (GOOD.replace("hold_ms_max", "hold_max"), "unknown key settings.exit.hold_max; did you mean hold_ms_max?"),
        (GOOD.replace("leverage_max: 3", "leverage_max: high"), "risk.leverage_max:"),
        (GOOD.replace("250.5", "-1"), "settings: size_usd and horizon_hours must be positive"),
        (GOOD.replace("[a, b]", "[a]"), "bot: a pair needs at least two venues"),
        (GOOD.replace("[5, 50]", "[50, 5]"), "each no smaller than the one before"),
        (GOOD.replace("risk: {leverage_max: 3}", "risk: 3"), "risk: a mapping of keys to values is wanted, not 3"),
        (GOOD + "zzz: 1", "unknown key zzz; known are strategy, settings, bot, risk"),
        ("- a\n- b\n", "a mapping of keys to values is wanted, not list"),
        ("a: [1\nb: 2\n", "line 2 is not YAML"),
        (GOOD + "risk: {}\n", "line 6 risk is given twice"),
        (GOOD.replace("{size_usd", "{size_usd: 10, size_usd"), "line 4 size_usd is given twice"),
        (
            GOOD.replace("250.5", "250.5, net_apr_percent_min: .nan"),
            "settings.net_apr_percent_min: a finite number is wanted, not nan",
        ),
        (GOOD.replace("[5, 50]", "[5, .inf]"), "hedge_slippage_bps: a finite number is wanted, not inf"),
        (GOOD.replace("[5, 50]", "[5, 5000]"), "slippage above 200 bps (2 %) can't be meant"),
        (GOOD.replace("[5, 50]", "[5, 50], retry_ms: -1"), "settings.execution.retry_ms: at least 1 ms are wanted, not -1"),
        (GOOD.replace("[5, 50]", "[5, 50], stale_after_ms: 0"), "settings.execution.stale_after_ms: at least 1 ms are wanted"),
        (GOOD.replace("journal: x.db", "gone_after_ms: 0"), "bot.gone_after_ms: at least 1 ms are wanted, not 0"),
        (GOOD.replace("hold_ms_min: 0, ", ""), "settings.exit.hold_ms_max: 60000 is below hold_ms_min, which is 3600000"),
        (GOOD.replace("250.5", "250.5, leverage: 50"), "settings.leverage: 50 is above risk.leverage_max, which is 3"),
        (GOOD.replace("250.5", "250.5, rounds_max: 0"), "rounds_max must be at least 1"),
        ("bot: {}", "strategy: the name of a strategy is wanted"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    message = str(caught.value)
    assert said in message
    assert "bot.yaml" in message
    assert "\n" not in message


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: can.t be read: No such file"):
        load(tmp_path / "none.yaml", lambda name: kind(name).config)


def test_an_unknown_strategy(tmp_path: Path) -> None:
    with pytest.raises(UnknownStrategy, match="known are funding_arbitrage"):
        loaded(tmp_path, GOOD.replace("funding_arbitrage", "martingale"))


def test_scaling_changes_times_of_the_wire_only(tmp_path: Path) -> None:
    config = loaded(tmp_path, GOOD)
    fast = config.settings.scaled(100)
    assert fast.execution.stale_after_ms == 100 * config.settings.execution.stale_after_ms
    assert fast.exit == config.settings.exit
    assert config.bot.scaled(100).tick_ms == 100_000
    assert config.bot.scaled(100).settle_attempts == config.bot.settle_attempts
