"""The time to go is what steps and evaluations really took, times what is left of them."""

import pytest

from runs.eta import EtaEstimator


def feed(eta: EtaEstimator, num_records: int, seconds: float = 2.0, warm_up: float = 0.0, start: int = 0) -> float:
    elapsed = 0.0
    for record in range(num_records):
        elapsed += seconds + (warm_up if record < 3 else 0.0)
        eta.saw_training(start + (record + 1) * 10, elapsed)
    return elapsed


def test_nothing_is_promised_before_enough_was_seen() -> None:
    eta = EtaEstimator()
    feed(eta, 6)
    assert eta.remaining_s(1000) is None
    feed_more = EtaEstimator()
    feed(feed_more, 7)
    assert feed_more.remaining_s(1000) is not None


def test_the_warm_up_does_not_count() -> None:
    eta = EtaEstimator()
    feed(eta, 20, warm_up=60.0)
    assert eta.remaining_s(1200) == pytest.approx((200.0, 0.0))


def test_evaluations_to_come_are_part_of_it() -> None:
    eta = EtaEstimator()
    elapsed = 0.0
    for record in range(1, 203):
        elapsed += 2.0
        if record % 10 == 1 and record > 1:
            elapsed += 5.0
            eta.saw_evaluation()
        eta.saw_training(record * 10, elapsed)
    remaining = eta.remaining_s(4020)
    assert remaining is not None
    assert remaining[0] == pytest.approx(2000 * 0.2 + 20 * 5.0, rel=0.03)


def test_an_evaluation_at_every_record_is_part_of_the_rate() -> None:
    eta = EtaEstimator()
    for record in range(1, 20):
        eta.saw_evaluation()
        eta.saw_training(record * 10, record * 3.0)
    remaining = eta.remaining_s(290)
    assert remaining is not None and remaining[0] == pytest.approx(30.0)


def test_one_long_pause_hardly_moves_it() -> None:
    eta = EtaEstimator()
    elapsed = feed(eta, 30)
    eta.saw_training(310, elapsed + 3600)
    remaining = eta.remaining_s(410)
    assert remaining is not None and remaining[0] == pytest.approx(20.0)


def test_uneven_steps_show_as_spread() -> None:
    eta = EtaEstimator()
    elapsed = 0.0
    for record in range(1, 40):
        elapsed += 1.0 if record % 2 else 3.0
        eta.saw_training(record * 10, elapsed)
    remaining = eta.remaining_s(490)
    assert remaining is not None
    assert remaining[1] == pytest.approx(10.0)


def test_at_the_end_nothing_remains() -> None:
    eta = EtaEstimator()
    feed(eta, 20)
    assert eta.remaining_s(200) == (0.0, 0.0)
