"""What a record says of each rank, so that a chart can show which of them the others wait for."""

from __future__ import annotations

from engine.figures import MOST_RANKS, rank_figures


def test_each_rank_has_a_column_of_its_own_and_one_process_has_none() -> None:
    assert rank_figures([0.5]) == {}
    assert rank_figures([0.5, 0.25]) == {"step_time_s_rank0": 0.5, "step_time_s_rank1": 0.25}


def test_of_very_many_ranks_the_fastest_and_the_slowest_are_kept() -> None:
    many = [1.0 + rank for rank in range(MOST_RANKS + 1)]
    assert rank_figures(many) == {"step_time_s_fastest": 1.0, "step_time_s_slowest": 1.0 + MOST_RANKS}
