"""Who may act for whom: agents, who have keys and no account, and led accounts, which have no key and somebody who acts for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Agent:
    """A key (known by `address`) that acts for `account` until `valid_until_ms`."""

    address: str
    account: str
    name: str
    valid_until_ms: int

    def told(self, address: str, name: str, until: str) -> dict[str, str | int]:
        """As a venue lists it, under the names given."""
        return {address: self.address, name: self.name, until: self.valid_until_ms}


@dataclass(frozen=True)
class LedAccount:
    """A vault or sub-account (`kind`: the venue's word) that `leader` acts for."""

    address: str
    leader: str
    name: str
    kind: str


class Principals:
    """What a venue knows of its accounts' relations."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.led: dict[str, LedAccount] = {}

    def account_of(self, signer: str, now_ms: int) -> str:
        """Whose account a key acts on: its own unless it is an agent's; "" when the agent's time is up or nobody can sign so."""
        agent = self.agents.get(signer)
        if agent is not None:
            return agent.account if now_ms <= agent.valid_until_ms else ""
        return "" if signer in self.led else signer

    def leads(self, account: str, led: str) -> bool:
        """Whether `account` may act for `led`."""
        return led in self.led and self.led[led].leader == account

    def agents_of(self, account: str) -> list[Agent]:
        return [agent for agent in self.agents.values() if agent.account == account]

    def agent_of(self, account: str) -> tuple[str | None, int | None]:
        """(address, valid until) of the first agent, Nones without one."""
        first = next(iter(self.agents_of(account)), None)
        return (None, None) if first is None else (first.address, first.valid_until_ms)

    def led_by(self, leader: str, kind: str) -> list[LedAccount]:
        return [led for led in self.led.values() if (led.leader, led.kind) == (leader, kind)]
