"""Whatever a venue answers, every verb gives values of the domain or an ExchangeError, and an act in doubt is never called a no."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exchange_clients import registry
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import ExchangeError, OutcomeUnknown
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.fuzz.conftest import EFFORT
from tests.fuzz.corpus import ACTS, READS, Corpus, Scene, key
from tests.fuzz.mutations import HEADERS, STATUSES, mutated, with_each_number_as
from tests.fuzz.soundness import assert_sound

PATIENCE_S = 3_600
"""Virtual seconds that a verb may take; pages and waits have their own bounds."""


@dataclass
class ScriptedHttp:
    """Answers as it was recorded, but for request number `at`, which gets `odd`."""

    replies: list[tuple[str, HttpResponse]]
    at: int
    odd: HttpResponse
    asked: int = 0

    async def request(self, request: HttpRequest) -> HttpResponse:
        number, self.asked = self.asked, self.asked + 1
        await asyncio.sleep(0.001)
        if number == self.at:
            return self.odd
        fitting = [response for which, response in self.replies if which == key(request)]
        return fitting[-1] if fitting else HttpResponse(404, b"{}")

    async def close(self) -> None:
        """Nothing is open."""


def ask(words: Corpus, verb: str, wire: ScriptedHttp) -> Any:
    """What the verb gives, or the error it raises. Nothing but ExchangeError is caught."""

    async def main() -> Any:
        spec, act = registry.spec(words.venue), ACTS[verb][1] if verb in ACTS else READS[verb]
        clock = LoopClock(words.now_ms)
        wiring = Wiring(
            environment=Environment.SANDBOX,
            rest_url=f"http://{words.venue}.sandbox{spec.rest_path}",
            websocket_url=f"ws://{words.venue}.sandbox{spec.websocket_path}",
            clock=clock,
            http=wire,
            websocket=wire,  # type: ignore[arg-type]  # nobody dials
            credentials=words.credentials,
        )
        async with spec.client_class()(wiring) as client, spec.adapter_class()(wiring) as adapter:
            scene = Scene(client, adapter, words.bitcoin, words.plays[verb].request, words.plays[verb].resting, words.now_ms)
            try:
                return await asyncio.wait_for(act(scene), PATIENCE_S)
            except ExchangeError as error:
                return error

    return run_virtual(main)


def test_the_script_alone_is_a_good_day(words: Corpus) -> None:
    """Otherwise what follows would try nothing."""
    for verb, play in words.plays.items():
        said = ask(words, verb, ScriptedHttp(play.replies, -1, HttpResponse(200, b"")))
        assert not isinstance(said, ExchangeError), f"{verb}: {said}"
        assert_sound(said)


@EFFORT
@given(data=st.data())
def test_any_reply_gives_values_or_an_exchange_error(words: Corpus, data: st.DataObject) -> None:
    verb = data.draw(st.sampled_from(sorted(words.plays)), label="verb")
    replies = words.plays[verb].replies
    at = data.draw(st.integers(0, len(replies) - 1), label="request number")
    good = replies[at][1]
    use_recorded = bool(words.elsewhere) and data.draw(st.integers(0, 4)) == 0
    body = data.draw(st.sampled_from(words.elsewhere)) if use_recorded else good.body
    odd = HttpResponse(
        status=data.draw(st.sampled_from((good.status, *STATUSES)), label="status"),
        body=mutated(data.draw, body),
        headers={**good.headers, **data.draw(st.sampled_from(HEADERS), label="headers")},
    )
    said = ask(words, verb, ScriptedHttp(replies, at, odd))
    if isinstance(said, ExchangeError):
        assert said.venue == words.venue and str(said)
    else:
        assert_sound(said)


def test_every_number_of_every_reply_once_as_nan(words: Corpus) -> None:
    """No chance here: a field that lets NaN through is found."""
    for verb, play in words.plays.items():
        for at, (_, good) in enumerate(play.replies):
            for field, body in with_each_number_as(good.body, "NaN").items():
                said = ask(words, verb, ScriptedHttp(play.replies, at, HttpResponse(good.status, body, good.headers)))
                try:
                    if not isinstance(said, ExchangeError):
                        assert_sound(said)
                except AssertionError as unsound:
                    raise AssertionError(f"{verb}, reply {at}, {field}: {unsound}") from unsound


@EFFORT
@given(data=st.data())
def test_an_act_whose_answer_can_not_be_read_is_in_doubt(words: Corpus, data: st.DataObject) -> None:
    verb = data.draw(st.sampled_from(sorted(set(words.plays) & set(ACTS))), label="verb")
    replies = words.plays[verb].replies
    garbage = data.draw(st.binary(max_size=40).filter(lambda raw: not _is_json(raw)))
    wire = ScriptedHttp(replies, len(replies) - 1, HttpResponse(200, garbage))
    said = ask(words, verb, wire)
    assert wire.asked == len(replies), "sent once"
    assert said is None or isinstance(said, OutcomeUnknown), said


def _is_json(raw: bytes) -> bool:
    return raw.strip()[:1] in (b"{", b"[", b'"', b"n", b"t", b"f") or raw.strip()[:1].isdigit() or raw.strip()[:1] == b"-"
