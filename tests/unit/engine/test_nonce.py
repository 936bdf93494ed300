"""Nonces of one key always grow, whatever the clock does and whatever the venue has seen."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.engine.nonce import NonceSource


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=50))
def test_no_two_calls_give_the_same_number_even_when_the_clock_stands_or_goes_back(times: list[int]) -> None:
    source = NonceSource()
    given_out = [source.next(now_ms) for now_ms in times]
    assert all(later > earlier for earlier, later in pairwise(given_out))
    assert all(nonce >= now_ms for nonce, now_ms in zip(given_out, times, strict=True))


def test_within_one_millisecond_they_count_up() -> None:
    source = NonceSource()
    assert [source.next(5_000) for _ in range(3)] == [5_000, 5_001, 5_002]


def test_after_a_refusal_it_goes_on_above_what_the_venue_has_seen() -> None:
    source = NonceSource()
    source.next(5_000)
    source.resynchronise(9_000)
    assert source.next(5_001) > 9_000
    source.resynchronise(1)
    assert source.next(5_002) > 9_001, "what was given out once never comes back"
