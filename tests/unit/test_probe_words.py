"""The rank of the word that belongs in a mask: beside its sentence, and as a curve over the run."""

from __future__ import annotations

import pytest

from runs.events import Candidate, Expected, Probed, ProbeResult
from tui.cli_lines import say_probes
from tui.probe_words import place_words, rank_words
from tui.widgets.probe_lines import fit_probes
from tui.widgets.probe_table import scrubber, spread
from tui.widgets.rank_curve import rank_lines, ranks_of
from tui.widgets.sparkline import sparkline

WORDS = (Candidate("government", 0.3), Candidate("states", 0.2), Candidate("people", 0.1))


def probed(step: int, rank: int, text: str = "the united [MASK]", word: str = "states") -> Probed:
    expected = (Expected(word, word, rank, 1 / (rank + 1)),) if rank else (Expected(word),)
    return Probed(step=step, probes=(ProbeResult(text, (WORDS,), expected=expected),))


def shown(one: Probed, width: int, height: int) -> list[str]:
    return [line.plain for line in fit_probes(one.probes, None, width, height)]


@pytest.mark.parametrize(
    ("rank", "words"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (113, "113th"), (1204, "1,204th")]
)
def test_places_are_read_as_people_say_them(rank: int, words: str) -> None:
    assert place_words(rank) == words


def test_the_rank_stands_beside_the_sentence_or_below_it_and_in_few_words_where_there_is_no_line() -> None:
    one = probed(10, 1204)
    assert shown(one, 40, 5)[0] == "the united [MASK]  → states 1,204th"
    assert shown(one, 80, 5)[0] == "the united [MASK]  → states 1,204th 0.1%"
    assert shown(one, 30, 5)[:2] == ["the united [MASK]", "  → states 1,204th"]
    assert shown(one, 30, 2)[0] == "the united [MASK]  → 1,204th"


def test_a_word_that_has_no_rank_is_said_to_have_none() -> None:
    assert shown(probed(10, 0), 60, 5)[0] == "the united [MASK]  → states not known"
    assert rank_words(Expected("zzqx")) == "zzqx is not in the vocabulary"
    assert (
        rank_words(Expected("freedoms", "free", 3, 0.1, 2)) == "freedoms is 3rd, 10.0%, by its first of 2 tokens"
    )


def test_a_wide_pane_shows_how_each_words_probability_went() -> None:
    before = Probed(step=0, probes=(ProbeResult("the united [MASK]", ((Candidate("states", 0.9),),)),))
    now = probed(10, 2)
    lines = [line.plain for line in fit_probes(now.probes, before, 100, 9, (before, now))]
    states = next(line for line in lines if line.startswith("  states"))
    assert "█▂" in states, "0.9 and then 0.2"
    government = next(line for line in lines if line.startswith("  government"))
    assert " ▃" in government, "a gap while it was not among those that were kept"


def test_the_curve_rises_to_rank_1_at_the_top() -> None:
    run = tuple(probed(step, rank) for step, rank in ((0, 1000), (50, 30), (100, 1)))
    ranks = ranks_of(run, 2)
    assert [(one.word, one.steps, one.ranks) for one in ranks] == [("states", (0, 50, 100), (1000, 30, 1))]
    lines = [line.plain for line in rank_lines(ranks, 100, (0, 100), 60, 14)]
    assert lines[0].startswith("    1 ┤") and lines[0].rstrip().endswith("1"), "its sign stands at its end"
    assert next(i for i, line in enumerate(lines) if line.startswith("1,000 ┤")) > 5
    first_dots = next(i for i, line in enumerate(lines) if line[7:8] not in (" ", "┈"))
    assert first_dots > 5, "it begins at the bottom"
    assert lines[-2].startswith(" rank  0") and lines[-2].endswith("100 steps")
    assert lines[-1] == "1 states 1st 50.0%  the united [MASK]"
    assert all(len(line) <= 60 for line in lines)


def test_the_first_probing_of_a_fork_stands_at_the_left_end() -> None:
    assert scrubber([1300, 1350, 1400], 0, 30).plain == "●·········•··········•  1 of 3"
    run = tuple(probed(step, rank) for step, rank in ((1300, 30), (1400, 1)))
    lines = [line.plain for line in rank_lines(ranks_of(run, 1), 1400, (1300, 1400), 60, 14)]
    assert lines[-2].split() == ["rank", "1,300", "1,400", "steps"]
    assert lines[-2].endswith("1,400 steps")


def test_probings_without_a_rank_leave_a_gap_and_another_word_is_another_curve() -> None:
    run = (probed(0, 0), probed(10, 5), probed(20, 7, word="nations"))
    assert ranks_of(run, 1)[0].steps == (10,)
    assert ranks_of(run, 2)[0].ranks == (7,)
    assert ranks_of((), 0) == ()
    assert [line.plain for line in rank_lines(ranks_of(run, 0), 0, (0, 20), 60, 10)][-1].startswith(
        "1 states not in"
    )


def test_without_words_the_pane_says_how_to_write_them() -> None:
    (line,) = rank_lines((), 0, (0, 0), 90, 10)
    assert "B edits them: the united [MASK] => states" in line.plain


def test_the_curve_can_be_drawn_with_characters_that_every_terminal_has() -> None:
    run = tuple(probed(step, 100 - step) for step in range(0, 99, 9))
    for line in rank_lines(ranks_of(run, 3), 27, (0, 99), 70, 12, only_ascii=True):
        assert line.plain.isascii()


def test_the_scrubber_shows_every_probing_and_the_one_that_is_looked_at() -> None:
    assert scrubber([0, 50, 100], 1, 21).plain == "•·····●·····•  2 of 3"
    assert scrubber([0, 50, 100], 2, 21).plain.index("●") == 12


def test_of_a_thousand_probings_as_many_are_drawn_as_there_are_columns() -> None:
    many = tuple(probed(step, 1 + step) for step in range(1000))
    for index in (0, 500, 501, 999):
        picked, place = spread(many, index)
        assert len(picked) <= 402 and picked[place] is many[index], "the one that is looked at is there"
        assert picked[0] is many[0] and picked[-1] is many[-1]
    assert spread(many[:300], 7) == (many[:300], 7)


def test_a_sparkline_keeps_spikes_and_gaps() -> None:
    assert sparkline([0.0, 0.5, 1.0], 3, 0.0, 1.0) == "▁▅█"
    assert sparkline([0.0] * 99 + [1.0] + [0.0] * 100, 10, 0.0, 1.0).count("█") == 1
    assert sparkline([None, 1.0], 4, 0.0, 1.0) == "   █"
    assert sparkline([], 3, 0.0, 1.0) == "   " and sparkline([1.0], 0, 0.0, 1.0) == ""
    assert sparkline([0.0, 1.0], 2, 0.0, 1.0, only_ascii=True) == "_@"


def test_the_command_line_says_the_rank_too(capsys: pytest.CaptureFixture[str]) -> None:
    say_probes(probed(10, 2).probes)
    assert capsys.readouterr().out.splitlines()[1] == "      states is 2nd, 33.3%"
