"""Where a number comes from. Values of mixed provenance are never combined."""

from enum import StrEnum


class Provenance(StrEnum):
    """The world an observation was made in."""

    LIVE = "live"
    TESTNET = "testnet"
    REPLAY = "replay"
    SANDBOX = "sandbox"


class Environment(StrEnum):
    """Which installation of a venue a client talks to."""

    LIVE = "live"
    TESTNET = "testnet"
    SANDBOX = "sandbox"

    @property
    def provenance(self) -> Provenance:
        """What the observations made there are worth."""
        return Provenance(self.value)
