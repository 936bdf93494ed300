"""What the library calls public is there, is documented, and is all that is there."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import exchange_clients

TOP = {
    "BaseExchangeClient", "BaseFundingAdapter", "Capability", "Credentials", "Environment", "ExchangeError", "Instrument",
    "MarketClient", "Network", "Order", "OrderRequest", "OrderStatus", "Provenance", "Sandbox", "Side", "TimeInForce",
}  # fmt: skip
MODULES = ["base", "errors", "market_watch", "network", "registry", "sandbox.sandbox", "spec"]


def test_the_front_page_names_what_a_first_program_needs() -> None:
    assert set(exchange_clients.__all__) == TOP <= set(dir(exchange_clients))
    for name in exchange_clients.__all__:
        assert getattr(exchange_clients, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        exchange_clients.Netwrok  # noqa: B018


def test_type_checkers_and_programs_find_the_same_names_in_the_same_places(root: Path) -> None:
    tree = ast.parse((root / "exchange_clients" / "__init__.py").read_text())
    for_checkers = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("exchange_clients.")
        for alias in node.names
    }
    assert for_checkers == {name: f"exchange_clients.{home}" for name, home in exchange_clients._HOMES.items()}
    assert exchange_clients._HOMES.keys() == set(exchange_clients.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_a_public_module_exports_what_it_defines_for_others_and_explains_it(name: str) -> None:
    module = import_module(f"exchange_clients.{name}")
    exported = {found: getattr(module, found) for found in module.__all__}
    own = {
        found
        for found, thing in vars(module).items()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and not found.startswith("_")
    }
    assert own <= exported.keys()
    assert not [found for found, thing in exported.items() if callable(thing) and not inspect.getdoc(thing)]
    for thing in exported.values():
        if inspect.isclass(thing) and thing.__module__ == module.__name__:
            silent = [
                verb
                for verb, method in vars(thing).items()
                if inspect.isfunction(method) and not verb.startswith("_") and not inspect.getdoc(method)
            ]
            assert not silent, f"{thing.__name__}: {silent}"
