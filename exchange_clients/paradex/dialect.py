"""How Paradex is spoken to: session tokens, signed orders, JSON-RPC sockets."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.domain import Credentials
from exchange_clients.engine.endpoint import Call, Channel, Endpoint, Meter
from exchange_clients.engine.json_rpc import LOGIN_ID, JsonRpcStreams
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.session_token import SessionToken
from exchange_clients.engine.transport import HttpRequest, HttpResponse, Socket
from exchange_clients.engine.wiring import Wiring
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.signing import Messages, Signer

LOGIN_LIVES_MS = 1_800_000
STALE_TOKEN = ("40110", "40111")  # malformed, invalid or expired (docs: websockets/error-handling)
NEEDED = "this needs the credentials private_key and account_address"


class ParadexDialect(Dialect):
    """The account's key, the chain it signs for, and the session token, renewed before it ends."""

    def __init__(self, wiring: Wiring) -> None:
        credentials = wiring.credentials or Credentials({})
        self._clock = wiring.clock
        self._session = Session(wire.VENUE, wiring, self)
        self._ethereum = credentials.get(common.ETHEREUM_ACCOUNT)
        self.account = credentials.get("account_address")
        try:
            int(self.account or "0", 16)
            self._signer = Signer(credentials["private_key"]) if credentials.get("private_key") else None
        except ValueError as error:
            raise errors.Misconfigured(
                wire.VENUE, "credentials", "private_key and account_address must be Starknet hex"
            ) from error
        self._messages: Messages | None = None
        self.token = SessionToken(wire.VENUE, wiring.clock, self._log_in)

    def meter_key(self, call: Call, meter: Meter) -> str:
        return self.account if meter in (common.READS, common.ORDERS) else ""

    async def prepare(self, call: Call) -> None:
        if call.endpoint.private:
            await self.token.valid()

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        endpoint = call.endpoint
        if endpoint in (common.PLACE, common.MODIFY):
            request = request.with_json(self._signed(call.payload))
        if endpoint.private:
            return request.with_headers(Authorization=f"Bearer {self.token.text}")
        if endpoint in (common.AUTH, common.ONBOARDING):
            return request.with_headers(**self._login_headers(endpoint))
        return request

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        """What the venue states; 429 and 5xx are left to the session, which knows what they leave open."""
        if response.status < 400 or response.status == 429 or response.status >= 500:
            return None
        try:
            stated = msgspec.json.decode(response.body, type=wire.ApiError)
        except msgspec.MsgspecError:
            return None
        default = errors.OrderRejected if call.endpoint in (common.PLACE, common.MODIFY, common.SET_MARGIN) else errors.Refused
        hint = "; this machine's clock may be wrong" if stated.error == "INVALID_TIMESTAMP" else ""
        text = f"{stated.error}: {stated.message}{hint}"
        return refused(wire.VENUE, call.endpoint.name, text, common.REFUSALS, stated.error, default)

    async def recover(self, error: errors.Refused) -> bool:
        if error.code != "INVALID_TOKEN":
            return False
        self.token.forget()
        return True

    async def _log_in(self) -> str:
        if self._messages is None:
            if self._signer is None or not self.account:
                raise errors.Misconfigured(wire.VENUE, "credentials", NEEDED)
            config: wire.SystemConfig = await self._session.call(common.SYSTEM_CONFIG)
            self._messages = Messages(config.starknet_chain_id, self.account)
        signer, _ = self._keys()
        path = {"public_key": signer.public_key}
        try:
            reply: wire.Token = await self._session.call(common.AUTH, path=path)
        except errors.AuthenticationFailed as stranger:
            if stranger.code != "NOT_ONBOARDED":
                raise
            if not self._ethereum:
                hint = f"{stranger.detail}; give the credential {common.ETHEREUM_ACCOUNT} to introduce the account"
                raise errors.AuthenticationFailed(wire.VENUE, stranger.operation, hint, stranger.code) from stranger
            await self._session.call(common.ONBOARDING, payload={"public_key": signer.public_key})
            reply = await self._session.call(common.AUTH, path=path)
        return reply.jwt_token

    def _login_headers(self, endpoint: Endpoint) -> dict[str, str]:
        signer, messages = self._keys()
        headers = {"PARADEX-STARKNET-ACCOUNT": self.account}
        if endpoint is common.ONBOARDING:
            signature = signer.sign(messages.onboarding())
            return headers | {"PARADEX-ETHEREUM-ACCOUNT": self._ethereum, "PARADEX-STARKNET-SIGNATURE": signature}
        now_s = self._clock.now_ms() // 1000
        until_s = now_s + self._clock.wire_ms(LOGIN_LIVES_MS) // 1000
        return headers | {
            "PARADEX-TIMESTAMP": str(now_s),
            "PARADEX-SIGNATURE-EXPIRATION": str(until_s),
            "PARADEX-STARKNET-SIGNATURE": signer.sign(messages.auth(now_s, until_s)),
        }

    def _signed(self, order: dict[str, Any]) -> dict[str, Any]:
        """An order, or (with an `id`) a change of one, with its signature and the instant of signing."""
        signer, messages = self._keys()
        now_ms, side = self._clock.now_ms(), wire.SIDES[order["side"]]
        terms = (now_ms, order["market"], side, order["type"], Decimal(order["size"]), Decimal(order.get("price", 0)))
        message = messages.modify(*terms, order["id"]) if "id" in order else messages.order(*terms)
        return {**order, "signature": signer.sign(message), "signature_timestamp": now_ms}

    def _keys(self) -> tuple[Signer, Messages]:
        if self._signer is None or self._messages is None:
            raise errors.Misconfigured(wire.VENUE, "credentials", NEEDED)
        return self._signer, self._messages


class ParadexBooks(JsonRpcStreams):
    """Public channels, on a socket of their own: its frames are SBE, those of private channels stay JSON."""

    _frame: bytes | None = None
    _change: wire.BookChange

    async def address(self, base: str) -> str:
        return f"{base}?{wire.SBE_QUERY}"

    def token(self, frame: bytes) -> bytes:
        """The market. To find it most of the frame must be read, so all of it is, and kept for the decoder."""
        try:
            change = wire.to_book_change(frame)
        except (struct.error, ValueError):
            return wire.book_market(frame)
        self._frame, self._change = frame, change
        return change.market

    def decoder(self, channel: Channel) -> Callable[[bytes], wire.BookChange]:
        return lambda frame: self._change if frame is self._frame else wire.to_book_change(frame)


class ParadexStreams(JsonRpcStreams):
    """A session token opens the private channels."""

    def __init__(self, dialect: ParadexDialect) -> None:
        super().__init__(wire.VENUE)
        self._dialect = dialect

    async def login(self, socket: Socket) -> None:
        if self._dialect.account:
            socket.send(self.request("auth", {"bearer": await self._dialect.token.valid()}, LOGIN_ID))

    async def login_again(self, error: errors.ExchangeError) -> bool:
        self._dialect.token.forget()
        return isinstance(error, errors.Refused) and error.code in STALE_TOKEN
