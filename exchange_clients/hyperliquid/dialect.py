"""How Hyperliquid is spoken to: signed actions on one path, refusals in words, sockets that echo what they confirm."""

from __future__ import annotations

import re

import msgspec

from exchange_clients import errors
from exchange_clients.domain import Environment
from exchange_clients.engine.channel_frames import ChannelFrames
from exchange_clients.engine.credential import key_of, needed, text_of
from exchange_clients.engine.endpoint import Call, Meter
from exchange_clients.engine.nonce import NonceSource
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.stream_dialect import Confirmed, Control, Denied
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.signing import Signer

EXPIRES_MS = 10_000
NAMED_ACCOUNTS = ("vault", "subAccount")


def stated(operation: str, text: str) -> errors.ExchangeError:
    """The error for the venue's words; unknown words are a plain OrderRejected."""
    if "Too many cumulative requests" in text:
        return errors.RateLimited(wire.VENUE, operation, text, retry_after_s=10.0)
    return refused(wire.VENUE, operation, text, common.REFUSALS)


class HyperliquidDialect(Dialect):
    """Signs actions; a refusal of a whole request comes with HTTP 200 and `status: err`.

    A vault or sub-account has no key: whoever acts for it names it in every action, and who forgets trades for himself. So what
    `account` is must be known before anything is signed for it with another's key.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._clock = wiring.clock
        self._mainnet = wiring.environment is Environment.LIVE
        self._reads = Session(wire.VENUE, wiring, Dialect())
        self.account = text_of(wiring, "account_address").lower()
        self._signer = key_of(wire.VENUE, wiring, "private_key", Signer, "32 bytes of hex")
        self.signer_address = self._signer.address if self._signer is not None else ""
        world = f" {id(wiring.clock)}" if wiring.environment is Environment.SANDBOX else ""  # a sandbox has a time of its own
        self._nonces = NonceSource.of(f"{wire.VENUE} {wiring.environment}{world}", self.signer_address)
        self.account_role = wire.UserRole("user") if self.account in ("", self.signer_address) else None

    async def role(self, address: str) -> wire.UserRole:
        """What an address is at the venue."""
        found: wire.UserRole = await self._reads.call(common.USER_ROLE, payload={"type": "userRole", "user": address})
        return found

    async def prepare(self, call: Call) -> None:
        if self.account_role is not None or not call.endpoint.private:
            return
        try:
            self.account_role = await self.role(self.account)
        except (errors.ProtocolViolation, errors.Refused):  # roles can't be told (a node of one's own): nobody to act for
            self.account_role = wire.UserRole("user")
        except errors.ExchangeError as error:
            detail = f"whether {self.account} is a sub-account could not be learnt ({error.detail}); nothing was sent"
            raise errors.NotSent(wire.VENUE, call.endpoint.name, detail) from error

    def meter_key(self, call: Call, meter: Meter) -> str:
        return "" if meter is common.PER_ADDRESS else self.account

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        if not call.endpoint.private:
            return request
        signer, now_ms = needed(self._signer, wire.VENUE, call.endpoint.name, "private_key"), self._clock.now_ms()
        nonce, expires_ms = self._nonces.next(now_ms), now_ms + self._clock.wire_ms(EXPIRES_MS)
        vault = self.account if self.account_role is not None and self.account_role.role in NAMED_ACCOUNTS else None
        signature = signer.sign_action(call.payload, nonce, self._mainnet, vault, expires_ms)
        action = {"action": call.payload, "nonce": nonce, "signature": signature}
        return request.with_json({**action, "vaultAddress": vault, "expiresAfter": expires_ms})

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        operation = call.endpoint.name
        if response.status == 422:
            return errors.Refused(wire.VENUE, operation, response.body[:200].decode("utf-8", "replace"), "422")
        if not call.endpoint.private or response.status != 200:
            return None
        try:
            reply = msgspec.json.decode(response.body, type=wire.ExchangeReply, strict=False)
        except msgspec.MsgspecError:
            return None
        return None if reply.status == "ok" else stated(operation, str(reply.response))

    async def recover(self, error: errors.Refused) -> bool:
        """A nonce that the venue has seen: another program signs with this key too. Go on above what it names."""
        if "nonce" not in error.code.lower():
            return False
        seen = (int(digits) for digits in re.findall(r"\d{13}", error.code))
        self._nonces.resynchronise(max(self._clock.now_ms(), *seen, 0))
        return True


class HyperliquidStreams(ChannelFrames):
    """No channel needs a login: what an account does is public."""

    heartbeat_every_s = 30.0
    asked_in, channel_key, market_key, account_key = "subscription", "type", "coin", "user"

    def control(self, frame: bytes) -> Control:
        if not frame.startswith(b"{"):
            return None  # the greeting of older servers is bare text
        message = msgspec.json.decode(frame)
        if message["channel"] == "subscriptionResponse" and message["data"]["method"] == "subscribe":
            return Confirmed(self.identity(message["data"]["subscription"]))
        if message["channel"] != "error" or "unsubscribe" in (words := str(message["data"])):
            return None
        about = self._topic_in(words)
        if words.startswith("Already subscribed"):
            return Confirmed(about)
        return Denied(about, errors.Refused(wire.VENUE, "subscribe", words))

    def _topic_in(self, words: str) -> str:
        """An error quotes the request, or what it asked for; "" where it does not."""
        try:
            asked = msgspec.json.decode(words[words.index("{") :])
            return self.identity(asked.get(self.asked_in, asked))
        except (ValueError, LookupError, AttributeError, TypeError):
            return ""
