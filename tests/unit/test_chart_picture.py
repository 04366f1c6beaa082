"""A picture fits its pane exactly, and shows what it should in words and signs, not in colour alone."""

import math
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from runs.series import Series
from tui.charts.crosshair import with_cursor
from tui.charts.curves import smooth
from tui.charts.picture import ChartPicture, ChartSpec, Line, Mark, Palette, draw
from tui.charts.view import X_AXES, ChartView

FIRST, SECOND, THIRD = Style(color="blue"), Style(color="yellow"), Style(color="green")
FAINT = Style(color="blue", dim=True)
PALETTE = Palette(
    (FIRST, SECOND, THIRD), (FAINT,), guide=Style(dim=True), axis=Style(), cursor=Style(reverse=True)
)
ASCII = replace(PALETTE, only_ascii=True)
WHOLE = ChartView()


def series(values: list[float], gap: int = 10) -> Series:
    one = Series()
    for index, value in enumerate(values, start=1):
        one.append(index * gap, value, tokens=index * gap * 4096.0, elapsed_s=index * 0.5)
    return one


CURVE = [4.9 + 3.4 * math.exp(-step / 16) for step in range(1, 61)]
EVALUATED = Line(series([8.2, 6.0, 5.0], gap=200), "val", 1, markers="◆", steady=True)


def spec(values: list[float], *others: Line) -> ChartSpec:
    return ChartSpec(
        (Line(series(values), "train", 0, band=True, smoothed=True, epoch_steps=100.0), *others),
        guides=(("unigram", 6.54), ("uniform", 99.0)),
        marks=(Mark(300, "resumed"),),
        best=(600, 5.0),
        total_steps=600,
    )


LOSS = spec(CURVE, EVALUATED)


def one(values: list[float], **more: object) -> ChartSpec:
    return ChartSpec((Line(series(values), **more),))  # type: ignore[arg-type]


def styled(picture: ChartPicture, style: Style) -> str:
    """What stands there in that style."""
    return "".join(segment.text for line in picture.lines for segment in line if segment.style == style)


@pytest.mark.parametrize("size", [(12, 4), (24, 7), (70, 20), (150, 50), (5, 2), (400, 60)])
@pytest.mark.parametrize("x", X_AXES)
def test_a_picture_has_exactly_the_size_of_its_pane(size: tuple[int, int], x: str) -> None:
    picture = with_cursor(draw(LOSS, ChartView(x=x), *size, PALETTE), 2.0)  # type: ignore[arg-type]
    assert len(picture.lines) == size[1]
    assert {line.cell_length for line in picture.lines} == {size[0]}
    assert {sum(segment.cell_length for segment in line) for line in picture.lines} == {size[0]}


def test_the_chart_of_a_fork_begins_where_the_fork_does() -> None:
    late = Series()
    for step in range(1210, 1401, 10):
        late.append(step, 4.0, tokens=step * 4096.0, elapsed_s=step - 1200.0)
    fork = ChartSpec((Line(late, epoch_steps=100.0),), total_steps=1400, first_step=1200)
    windows = {x: draw(fork, ChartView(x=x), 80, 20, PALETTE).frame.window for x in X_AXES}  # type: ignore[union-attr]
    assert windows["step"] == (1200, 1400) and windows["epoch"] == (12, 14)
    assert draw(fork, ChartView(), 80, 20, PALETTE).text.splitlines()[-1].startswith("step 1.2k")
    assert windows["time"][0] == 0 and 4.8e6 < windows["tokens"][0] <= 1210 * 4096


def test_baselines_splices_and_the_best_are_named() -> None:
    text = draw(LOSS, WHOLE, 80, 20, PALETTE).text
    assert "unigram 6.54" in text and "▼ resumed" in text
    assert text.count("★") == 1 and text.count("◆") == 2
    assert "uniform" not in text  # out of reach


def test_marks_stand_where_they_belong_and_never_over_each_other() -> None:
    marks = (Mark(10, "lr ×0.5"), *(Mark(step, f"evaluated {step}") for step in range(100, 581, 40)))
    text = draw(replace(LOSS, marks=marks), WHOLE, 80, 20, PALETTE).text
    lines = text.splitlines()
    for line in lines:
        assert line.count("▼") == line.count("evaluated") + line.count("lr ×0.5")
    assert "evaluated 580 ▼" in text and "▼ lr ×0.5" in text
    named = [step for step in range(100, 581, 40) if f"evaluated {step}" in text]
    assert 4 <= len(named) < 13 and text.count("▲") == 13 - len(named)
    column = next(line.index("▼ lr") for line in lines if "▼ lr" in line)
    assert 4 <= column <= 8, "near the left end, where step 10 is"


def test_a_mark_outside_the_curve_is_left_out() -> None:
    assert "late" not in draw(replace(LOSS, marks=(Mark(9000, "late"),)), WHOLE, 80, 20, PALETTE).text


def test_without_figures_it_says_so_in_words() -> None:
    assert "no figures yet" in draw(ChartSpec(), WHOLE, 40, 8, PALETTE).text
    assert "no tokens were recorded" in draw(one_without_tokens(), ChartView(x="tokens"), 40, 8, PALETTE).text
    words = draw(one([1.0, 2.0]), ChartView(x="epoch"), 60, 8, PALETTE).text
    assert "steps of an epoch are not known" in words
    words = draw(one([-1.0, 0.0]), ChartView(log_y=True), 60, 8, PALETTE).text
    assert "nothing above zero" in words


def one_without_tokens() -> ChartSpec:
    bare = Series()
    bare.append(1, 2.0)
    return ChartSpec((Line(bare),))


def test_values_that_are_not_finite_break_the_line() -> None:
    whole = draw(one([5.0] * 60), WHOLE, 60, 10, PALETTE)
    broken = draw(one([5.0] * 20 + [math.nan] * 20 + [5.0] * 20), WHOLE, 60, 10, PALETTE)
    drawn = [styled(picture, FIRST) for picture in (whole, broken)]
    assert len(drawn[1]) < 0.8 * len(drawn[0])


def test_only_gaps_are_no_reason_to_fail() -> None:
    assert len(draw(spec([math.nan] * 10), WHOLE, 60, 10, PALETTE).lines) == 10


def test_smoothing_follows_the_mean_and_leaves_gaps() -> None:
    buckets = series([4.0, 4.0, math.nan, 4.0]).reduce(0, 40, 4)
    smoothed = smooth(buckets, 0.9)
    assert smoothed[0] == pytest.approx(4.0) and smoothed[-1] == pytest.approx(4.0)


def test_the_axis_is_in_epochs_tokens_or_time_when_asked() -> None:
    def below(x: str) -> str:
        return draw(LOSS, ChartView(x=x), 80, 20, PALETTE).text.splitlines()[-1]  # type: ignore[arg-type]

    assert below("step").startswith("step") and "600" in below("step")
    assert below("epoch").startswith("epoch") and "6" in below("epoch")
    assert below("tokens").startswith("tokens") and "2M" in below("tokens")
    assert below("time").startswith("time") and "30s" in below("time")


def test_a_log_scale_spreads_small_values() -> None:
    halving = one([10.0 * 0.8**step for step in range(60)])
    plain = draw(halving, WHOLE, 60, 20, PALETTE)
    log = draw(halving, ChartView(log_y=True), 60, 20, PALETTE)

    def rows_of_the_second_half(picture: ChartPicture) -> int:
        return len({row for row, line in enumerate(picture.text.splitlines()[:-2]) if line[35:].strip()})

    assert rows_of_the_second_half(log) > 3 * rows_of_the_second_half(plain)
    assert "1e-4" in log.text or "1e-3" in log.text


def test_raw_values_stand_dimmed_behind_the_smoothed_line_unless_smoothing_is_off() -> None:
    noise = random.Random(0)
    noisy = spec([5 + noise.random() for _ in range(200)])
    assert any("\u2801" <= sign <= "\u28ff" for sign in styled(draw(noisy, WHOLE, 60, 15, PALETTE), FAINT))
    assert styled(draw(noisy, ChartView(smoothing=0.0), 60, 15, PALETTE), FAINT) == ""


def test_a_zoomed_window_shows_its_part_alone() -> None:
    stairs = one([1.0] * 30 + [100.0] * 30)
    picture = draw(stairs, ChartView(low=10, high=200), 60, 12, PALETTE)
    assert picture.frame is not None and picture.frame.window == (10, 200)
    assert "100" not in "".join(line[:5] for line in picture.text.splitlines()), "its own value axis"
    followed = draw(stairs, ChartView(span=100), 60, 12, PALETTE)
    assert followed.frame is not None and followed.frame.window == (500, 600)


def test_the_crosshair_stands_at_its_place_and_changes_one_column_and_the_axis() -> None:
    picture = draw(LOSS, WHOLE, 80, 20, PALETTE)
    crossed = with_cursor(picture, 300.0)
    assert " step 300 " in crossed.text.splitlines()[-1]
    changed = set()
    for before, after in zip(picture.rows[:-2], crossed.rows[:-2], strict=True):
        changed |= {
            at
            for at in range(80)
            if (before.characters[at], before.styles[at]) != (after.characters[at], after.styles[at])
        }
    assert len(changed) == 1 and 38 <= changed.pop() <= 44
    assert with_cursor(picture, 10_000.0) is picture, "it is outside the window"


def test_the_crosshairs_place_leaves_no_pieces_of_the_axis_words() -> None:
    picture = draw(LOSS, WHOLE, 24, 8, PALETTE)
    words = set(picture.text.splitlines()[-1].split())
    for place in range(0, 601, 5):
        left = with_cursor(picture, float(place)).text.splitlines()[-1].replace(f"step {place}", "")
        assert set(left.split()) <= words, f"at {place}: {left!r}"


def test_lines_are_told_apart_without_colour() -> None:
    lines = tuple(
        Line(series([value] * 60), f"run {sign}", number, style=style, sign=sign)
        for number, (value, sign, style) in enumerate(
            ((1.0, "a", "solid"), (1.4, "b", "dashed"), (2.0, "", "dotted"))
        )
    )
    text = draw(ChartSpec(lines, legend=True), WHOLE, 80, 12, PALETTE).text
    assert "a run a" in text and "b run b" in text
    below = text.splitlines()[3:-2]
    with_a, with_b = (next(line for line in below if sign in line) for sign in "ab")
    assert with_a.count("⠉") + with_a.count("⠤") + with_a.count("⣀") + with_a.count("⠒") > 20
    assert " " in with_b[10:60].strip(), "it has gaps"


def test_a_terminal_without_braille_gets_plain_characters() -> None:
    picture = with_cursor(draw(replace(LOSS, marks=(Mark(9, "lr ×0.5"),)), WHOLE, 80, 20, ASCII), 200.0)
    assert picture.text.isascii()
    assert "*" in picture.text and "o" in picture.text and "v lr x0.5" in picture.text and "|" in picture.text


def test_wide_and_hostile_labels_do_not_move_what_is_beside_them() -> None:
    lines = (Line(series([1.0] * 9), "訓練\x1b[2J\u202e損失", 0, sign="訓"), Line(series([2.0] * 9), "é́" * 9, 1))
    picture = draw(ChartSpec(lines, legend=True), WHOLE, 60, 12, PALETTE)
    assert {line.cell_length for line in picture.lines} == {60}
    assert {sum(segment.cell_length for segment in line) for line in picture.lines} == {60}
    assert "\x1b" not in picture.text and "\u202e" not in picture.text


values = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-10, 10)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(values, min_size=1, max_size=60),
    st.booleans(),
    st.sampled_from(X_AXES),
    st.none() | st.floats(-1e3, 1e3),
    st.none() | st.floats(-1e3, 1e3),
    st.sampled_from([None, 0.0, 0.9]),
)
def test_no_figures_and_no_view_make_it_fail(
    figures: list[float], log_y: bool, x: str, low: float | None, high: float | None, smoothing: float | None
) -> None:
    view = ChartView(x=x, log_y=log_y, low=low, high=high, smoothing=smoothing)  # type: ignore[arg-type]
    picture = draw(spec(figures, Line(series(figures), has_own_scale=True)), view, 50, 10, PALETTE)
    assert {line.cell_length for line in with_cursor(picture, low).lines} == {50}


def test_many_points_cost_no_more_than_few() -> None:
    few, many = (one([5 + math.sin(at) for at in range(num)], band=True, smoothed=True) for num in (2000, 200_000))

    def cost(of: ChartSpec) -> float:
        times = []
        for _ in range(9):
            started = time.perf_counter()
            draw(of, WHOLE, 100, 30, PALETTE)
            times.append(time.perf_counter() - started)
        return min(times)

    draw(many, WHOLE, 100, 30, PALETTE)  # its pyramid is built once
    assert cost(many) < 4 * cost(few)


@pytest.mark.parametrize("only_ascii", [False, True])
def test_the_crosshair_crosses_lines_and_no_words(only_ascii: bool) -> None:
    picture = draw(LOSS, WHOLE, 80, 20, replace(PALETTE, only_ascii=only_ascii))
    row = next(at for at, line in enumerate(picture.text.splitlines()) if "unigram 6.54" in line)
    words = range(picture.text.splitlines()[row].index("unigram"), 80)
    assert picture.frame is not None
    low, high = picture.frame.window
    for cell in range(1, 60):
        place = low + (cell + 0.5) * (high - low) / picture.frame.plot_width
        line = with_cursor(picture, place).text.splitlines()[row]
        is_on_words = picture.frame.left + picture.frame.cell_at(place) in words
        assert "unigram 6.54" in line
        assert is_on_words or ("|" if only_ascii else "│") in line[picture.frame.left :]
