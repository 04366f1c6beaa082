"""Which lines of a log are shown, and where a search stands."""

from __future__ import annotations

from runs.console_lines import ConsoleLine, Level
from tui.widgets.log_filter import LogFilter, pieces_of


def line(text: str, rank: int | None = None, level: Level = "info") -> ConsoleLine:
    return ConsoleLine(text, rank, level)


def shown(log: LogFilter) -> list[str]:
    return [one.text for one in log.shown]


def test_new_lines_come_to_those_that_are_shown_and_old_ones_go() -> None:
    log = LogFilter()
    assert log.take((line("a"), line("b")), 2) == 0
    assert log.take((line("b"), line("c"), line("d")), 4, (line("half"),)) == 1
    assert shown(log) == ["b", "c", "d", "half"]
    log.take((line("b"), line("c"), line("d"), line("half and half")), 5)
    assert shown(log) == ["b", "c", "d", "half and half"], "the unended line stands there once"
    assert log.num_forgotten == 1
    assert log.take((line("of another attempt"),), 1) == 0
    assert shown(log) == ["of another attempt"]


def test_a_burst_of_more_lines_than_are_kept_begins_anew() -> None:
    log = LogFilter()
    log.take((line("a"), line("b")), 2)
    log.take((line("y"), line("z")), 50)
    assert shown(log) == ["y", "z"] and log.num_forgotten == 48


def test_levels_and_ranks_are_filters_that_new_lines_pass_too() -> None:
    log = LogFilter()
    lines = (line("fine", 0), line("careful", 1, "warning"), line("broken", 1, "error"), line("torchrun"))
    log.take(lines, 4)
    assert log.prefix_of(lines[1]) == "1 │ " and log.prefix_of(lines[3]) == "  │ "
    log.choose_level("warning")
    assert shown(log) == ["careful", "broken"]
    assert log.take((*lines[1:], line("late", 0, "error")), 5) == 0, "what goes was not shown"
    assert shown(log) == ["careful", "broken", "late"]
    log.choose_level("info")
    seen = []
    for _ in range(4):
        log.next_rank()
        seen.append((log.rank_words, shown(log)))
    assert seen == [
        ("no single rank", ["torchrun"]), ("rank 0", ["late"]), ("rank 1", ["careful", "broken"]),
        ("", ["careful", "broken", "torchrun", "late"]),
    ]  # fmt: skip


def test_one_process_has_no_ranks_to_choose_from() -> None:
    log = LogFilter()
    log.take((line("a"),), 1)
    log.next_rank()
    assert log.rank_words == "" and log.prefix_width == 0


def test_a_search_begins_at_the_newest_place_and_goes_round() -> None:
    log = LogFilter()
    log.take((line("Loss 1"), line("x"), line("loss 2"), line("loss 3")), 4)
    log.search("loss")
    assert (log.here, log.found_words) == (3, "3 of 3")
    log.step(-1)
    assert (log.here, log.found_words) == (2, "2 of 3")
    log.step(1)
    log.step(1)
    assert (log.here, log.found_words) == (0, "1 of 3"), "past the end it begins anew"
    log.take((line("x"), line("loss 2"), line("loss 3"), line("new")), 5)
    assert log.here is None, "its line has gone"
    log.search("nowhere")
    assert (log.here, log.found_words) == (None, "not found")


def test_a_line_in_pieces_marks_what_was_searched_for() -> None:
    assert pieces_of("Loss and loss", "loss") == [("Loss", True), (" and ", False), ("loss", True)]
    assert pieces_of("İ and i", "i") == [("İ and i", False)], "letters that fold into two have no place"
    assert pieces_of("plain", "") == [("plain", False)]
