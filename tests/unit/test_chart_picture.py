"""A picture fits its pane exactly, and shows what it should in words and signs, not in colour alone."""

import math
from dataclasses import replace

import pytest

from runs.series import Series
from tui.widgets.chart_picture import ChartPicture, ChartSpec, Mark, Palette, draw, smooth

PALETTE = Palette((80, 160, 250), (40, 70, 110), (250, 170, 60), (110, 110, 110), (130, 130, 130))


def series(values: list[float], gap: int = 10) -> Series:
    one = Series()
    for index, value in enumerate(values, start=1):
        one.append(index * gap, value)
    return one


def words(picture: ChartPicture) -> str:
    return "\n".join(line.text for line in picture.lines)


CURVE = [4.9 + 3.4 * math.exp(-step / 16) for step in range(1, 61)]
LOSS = ChartSpec(
    "loss", "val_loss", smoothed=True, guides=(("unigram", 6.54), ("uniform", 99.0)),
    marks=(Mark(300, "resumed"),), best=(600, 5.0), total_steps=600,
)  # fmt: skip


@pytest.mark.parametrize("size", [(12, 4), (24, 7), (70, 20), (150, 50), (5, 2), (400, 60)])
def test_a_picture_has_exactly_the_size_of_its_pane(size: tuple[int, int]) -> None:
    picture = draw(LOSS, {"loss": series(CURVE)}, *size, PALETTE)
    assert len(picture.lines) == size[1]
    assert {line.cell_length for line in picture.lines} == {size[0]}


def test_baselines_splices_and_the_best_are_named() -> None:
    data = {"loss": series(CURVE), "val_loss": series([8.2, 6.0, 5.0], gap=200)}
    text = words(draw(LOSS, data, 80, 20, PALETTE))
    assert "unigram 6.54" in text and "▼ resumed" in text
    assert text.count("★") == 1 and text.count("◆") == 2
    assert "uniform" not in text  # out of reach


def test_marks_stand_where_they_belong_and_never_over_each_other() -> None:
    marks = (Mark(10, "lr ×0.5"), *(Mark(step, f"evaluated {step}") for step in range(100, 581, 40)))
    picture = draw(replace(LOSS, marks=marks), {"loss": series(CURVE)}, 80, 20, PALETTE)
    text = words(picture)
    for line in picture.lines:
        assert line.text.count("▼") == line.text.count("evaluated") + line.text.count("lr ×0.5")
    assert "evaluated 580 ▼" in text and "▼ lr ×0.5" in text
    named = [step for step in range(100, 581, 40) if f"evaluated {step}" in text]
    assert 4 <= len(named) < 13 and text.count("▲") == 13 - len(named)
    column = next(line.text.index("▼ lr") for line in picture.lines if "▼ lr" in line.text)
    assert 2 <= column <= 6, "near the left end, where step 10 is"


def test_a_mark_outside_the_curve_is_left_out() -> None:
    picture = draw(replace(LOSS, marks=(Mark(9000, "late"),)), {"loss": series(CURVE)}, 80, 20, PALETTE)
    assert "late" not in words(picture)


def test_without_figures_it_says_so_in_words() -> None:
    assert "no figures yet" in words(draw(ChartSpec("loss"), {}, 40, 8, PALETTE))


def test_values_that_are_not_finite_break_the_line() -> None:
    whole = words(draw(ChartSpec("loss"), {"loss": series([5.0] * 60)}, 60, 10, PALETTE))
    broken = [5.0] * 20 + [math.nan] * 20 + [5.0] * 20
    assert words(draw(ChartSpec("loss"), {"loss": series(broken)}, 60, 10, PALETTE)).count("⠤") < whole.count(
        "⠤"
    ) or (words(draw(ChartSpec("loss"), {"loss": series(broken)}, 60, 10, PALETTE)) != whole)


def test_only_gaps_are_no_reason_to_fail() -> None:
    picture = draw(LOSS, {"loss": series([math.nan] * 10)}, 60, 10, PALETTE)
    assert len(picture.lines) == 10


def test_smoothing_follows_the_mean_and_leaves_gaps() -> None:
    buckets = series([4.0, 4.0, math.nan, 4.0]).reduce(0, 40, 4)
    smoothed = smooth(buckets, 0.9)
    assert smoothed[0] == pytest.approx(4.0) and smoothed[-1] == pytest.approx(4.0)
