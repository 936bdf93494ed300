"""A kept book is what a plain dictionary of prices would be, sorted."""

from random import Random

import pytest

from exchange_clients.domain.market import Level
from exchange_clients.domain.provenance import Provenance
from exchange_clients.engine.book_builder import BookBuilder, Gap


def builder(depth: int = 20) -> BookBuilder:
    made = BookBuilder("venue", "BTC", Provenance.SANDBOX, depth)
    made.reset(1)
    return made


@pytest.mark.parametrize("seed", range(20))
def test_any_sequence_of_changes_gives_the_sorted_best_levels(seed: int) -> None:
    random, kept = Random(seed), builder()
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    sides = (("bid", 0.0, bids), ("ask", 100.0, asks))
    for _ in range(300):
        side, offset, truth = random.choice(sides)
        price, size = offset + random.randrange(50), float(random.choice((0, 0, 1, 2, 3)))
        if size:
            truth[price] = size
        else:
            truth.pop(price, None)
        if size == 0 and random.random() < 0.5:
            (kept.remove_bid if side == "bid" else kept.remove_ask)(price)
        else:
            (kept.put_bid if side == "bid" else kept.put_ask)(price, size)
        book = kept.book(0)
        assert [(level.price, level.size) for level in book.bids] == sorted(bids.items(), reverse=True)[:20]
        assert [(level.price, level.size) for level in book.asks] == sorted(asks.items())[:20]


@pytest.mark.parametrize("seed", range(20))
def test_frames_of_whole_numbers_give_the_same_book(seed: int) -> None:
    """Read now and then, so that levels made for a reader meet the changes that come after."""
    random, kept = Random(seed), BookBuilder("venue", "BTC", Provenance.SANDBOX, unit=1e8)
    assert not kept.take(1, 1, False, (100, 1), ())
    assert kept.take(1, 1, True, (10**8, 3 * 10**8), ())
    truth: tuple[dict[int, int], dict[int, int]] = ({10**8: 3 * 10**8}, {})
    for sequence in range(2, 200):
        frame: tuple[list[int], list[int]] = ([], [])
        for _ in range(random.randrange(4)):
            which = random.randrange(2)
            price, size = (which * 100 + random.randrange(1, 50)) * 10**7, random.choice((0, 0, 1, 2, 3)) * 10**7
            frame[which].extend((price, size))
            truth[which][price] = size
        assert kept.take(sequence, sequence, False, *frame)
        if random.random() < 0.5:
            book = kept.book(0)
            for levels, sizes, is_bid in ((book.bids, truth[0], True), (book.asks, truth[1], False)):
                best = sorted(((p / 1e8, s / 1e8) for p, s in sizes.items() if s), reverse=is_bid)
                assert [(level.price, level.size) for level in levels] == best[:20]
                assert {type(level) for level in levels} <= {Level}


def test_an_old_frame_changes_nothing_not_even_the_time() -> None:
    kept = BookBuilder("venue", "BTC", Provenance.SANDBOX, unit=10)
    assert kept.take(5, 50, True, (100, 10), (110, 10))
    assert not kept.take(5, 40, False, (100, 20), ())
    assert (kept.time_ms, kept.book(0).bids) == (50, [Level(10.0, 1.0)])
    with pytest.raises(Gap, match="frame 6 is missing"):
        kept.take(7, 70, False, (), ())


@pytest.mark.parametrize("level", [(100, -1), (100, -(2**63)), (-1, 1)])
def test_less_than_nothing_is_no_level(level: tuple[int, int]) -> None:
    kept = BookBuilder("venue", "BTC", Provenance.SANDBOX, unit=1e8)
    kept.take(1, 1, True, level, ())
    with pytest.raises(Gap, match="can't be"):
        kept.book(0)


def test_a_book_given_out_does_not_change_afterwards() -> None:
    kept = builder()
    kept.put_bid(10.0, 1.0)
    kept.put_bid(9.0, 1.0)
    before = kept.book(0)
    kept.remove_bid(10.0)
    kept.reset(2)
    assert [level.price for level in before.bids] == [10.0, 9.0]
    assert kept.book(0).bids == []


def test_sequence_numbers_skip_the_old_and_refuse_a_hole() -> None:
    kept = builder()
    assert not kept.advance(1)
    assert kept.advance(2)
    with pytest.raises(Gap, match="frame 3 is missing"):
        kept.advance(4)
    kept.forget()
    assert not kept.advance(3)


def test_a_crossed_book_is_a_gap() -> None:
    kept = builder()
    kept.put_bid(10.0, 1.0)
    kept.put_ask(10.0, 1.0)
    with pytest.raises(Gap, match="crosses"):
        kept.book(0)


def test_more_levels_than_any_book_has_is_no_book() -> None:
    builder = BookBuilder("venue", "BTC", Provenance.SANDBOX)
    builder.reset(1)
    for number in range(10_001):
        builder.put_ask(100.0 + number, 1.0)
    with pytest.raises(Gap, match="more than 10000 levels"):
        builder.book(0)
    builder.remove_ask(100.0)
    assert builder.book(0).best_ask == 101.0
