"""Analyses as lines of characters: what a person can read off them."""

from __future__ import annotations

from rich.cells import cell_len

from runs.analysis import (
    Attention,
    Bin,
    Calibration,
    Neighbour,
    Neighbours,
    TokenLoss,
    TokenLosses,
    WordNeighbours,
)
from runs.verdict import Verdict
from tui.analysis_lines import (
    attention_lines,
    calibration_lines,
    heat_map,
    neighbour_lines,
    token_lines,
    verdict_lines,
    word_map,
)

EVEN = ((0.5, 0.5), (0.0, 1.0))


def attention(num_layers: int, num_heads: int) -> Attention:
    weights = tuple(tuple(EVEN for _ in range(num_heads)) for _ in range(num_layers))
    entropies = tuple(tuple(0.5 for _ in range(num_heads)) for _ in range(num_layers))
    return Attention(
        tokens=("[CLS]", "日本"), num_unknown=1, weights=weights, entropies=entropies, checkpoint="step-1"
    )


def test_a_heat_map_is_darkest_where_the_weight_is_greatest() -> None:
    rows = heat_map("one", ("a", "b"), EVEN)[-2:]
    assert rows[1].endswith("██")
    assert rows[0].count("▓") == 4
    assert cell_len(rows[0]) == cell_len(rows[1])


def test_characters_of_two_cells_keep_the_columns() -> None:
    rows = heat_map("one", ("a", "日本語日本語日本語日本語"), ((1.0, 1.0), (1.0, 1.0)))[-2:]
    assert cell_len(rows[0]) == cell_len(rows[1])


def test_many_heads_are_drawn_as_the_mean_of_each_layer_or_one_by_one_when_asked() -> None:
    assert sum("entropy" in line for line in attention_lines(attention(2, 2))) == 4
    means = attention_lines(attention(3, 4))
    assert sum("mean of 4 heads" in line for line in means) == 3
    assert sum("layer 2 head" in line for line in attention_lines(attention(3, 4), layer=2)) == 4
    assert sum("layer 2 head 3" in line for line in attention_lines(attention(3, 4), layer=2, head=3)) == 1


def test_words_of_a_map_do_not_touch_and_the_first_ones_win() -> None:
    points = [("alpha", 0.0, 0.0), ("beta", 0.01, 0.0), ("gamma", 1.0, 0.0), ("delta", 0.5, 1.0)]
    lines = word_map(points, width=40, height=5)
    assert lines[-1].split() == ["alpha", "gamma"]
    assert lines[0].strip() == "delta"
    assert max(map(cell_len, lines)) <= 42
    assert word_map([]) == []


def test_a_word_of_several_tokens_says_which_and_unknown_words_are_named() -> None:
    near = (Neighbour("war", 0.5),)
    words = (WordNeighbours("zebra", ("z", "…ebra"), near), WordNeighbours("peace", ("peace",), near))
    lines = neighbour_lines(Neighbours(words=words, unknown=("qu",), points=(), explained=(0.5, 0.25)))
    assert "(mean of z …ebra)  war 0.50" in lines[1]
    assert lines[2].split() == ["peace", "war", "0.50"]
    assert "not in the vocabulary: qu" in lines[3]


def test_a_token_stands_once_in_the_table_however_few_there_are() -> None:
    rows = (TokenLoss("a", 5, 1.0, 0.5), TokenLoss("b", 5, 2.0, 0.0))
    lines = token_lines(
        TokenLosses(
            task="masked", num_sequences=1, num_predictions=10, num_tokens=2, num_counted=2, loss=1.5,
            accuracy=0.2, best=rows, worst=rows[::-1],
        )
    )  # fmt: skip
    assert [line.split()[0] for line in lines[3:]] == ["a", "b"]


def test_bins_show_how_often_and_how_surely() -> None:
    bins = (Bin(0.0, 0.5, 0, 0.0, 0.0), Bin(0.5, 1.0, 4, 0.5, 1.0))
    lines = calibration_lines(
        Calibration(
            task="label", num_sequences=4, num_predictions=4, bins=bins, ece=0.5, largest_gap=0.5, confidence=0.5,
            accuracy=1.0,
        )
    )  # fmt: skip
    assert "righter than sure" in lines[1]
    assert lines[-2].split()[-1] == "0"
    assert lines[-1].count("█") == 29 and "|" in lines[-1]


def test_a_verdict_without_figures_is_its_sentence() -> None:
    lines = verdict_lines(Verdict("too early", "Too early to tell.", num_evaluations=1, notes=("Beware.",)))
    assert lines[0] == "Too early to tell."
    assert lines[-1] == "  ! Beware."
    assert len(lines) == 3
