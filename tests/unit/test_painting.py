"""However the screen changes, the terminal shows it, and no more is written than what differs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tests.faults.terminal import Screen
from tui.painting import Painting

WIDTH, HEIGHT = 12, 3
CONSOLE = Console(color_system="truecolor", force_terminal=True, width=WIDTH)
STYLES = (None, Style(bold=True), Style(color="red"))
CHARACTERS = st.sampled_from(["a", "b", " ", "│", "⡂", "訓"])


def strip_of(cells: list[tuple[str, int]], width: int = WIDTH) -> Strip:
    segments = [Segment(text, STYLES[style]) for text, style in cells]
    return Strip(segments).adjust_cell_length(width)


ROW = st.lists(st.tuples(CHARACTERS, st.integers(0, 2)), max_size=WIDTH)
FRAME = st.lists(ROW, min_size=HEIGHT, max_size=HEIGHT)


def whole(frame: list[list[tuple[str, int]]]) -> LayoutUpdate:
    return LayoutUpdate([[strip_of(row)] for row in frame], Region(0, 0, WIDTH, HEIGHT))


def part(frame: list[list[tuple[str, int]]]) -> ChopsUpdate:
    chops = [{0: strip_of(row)} for row in frame]
    spans = [(y, 0, WIDTH) for y in range(HEIGHT)]
    return ChopsUpdate(chops, spans, [[WIDTH]] * HEIGHT)


def text_of(frame: list[list[tuple[str, int]]]) -> list[str]:
    return [strip_of(row).text.rstrip() for row in frame]


@settings(max_examples=60, deadline=None)
@given(st.lists(FRAME, min_size=2, max_size=5), st.booleans())
def test_the_terminal_shows_every_frame(frames: list[list[list[tuple[str, int]]]], known: bool) -> None:
    painting, screen = Painting(), Screen(WIDTH, HEIGHT)
    first, *others = frames
    screen.write(
        painting.of(whole(first) if known else part(first)).render_segments(CONSOLE).replace("\n", "\r\n")
    )
    for frame in others:
        screen.write(painting.of(part(frame)).render_segments(CONSOLE))
        assert [line.rstrip() for line in screen.lines()] == text_of(frame)
        assert painting.of(part(frame)).render_segments(CONSOLE) == "", "it stands there already"


def test_only_the_cells_that_differ_are_written() -> None:
    painting = Painting()
    before = [[(character, 0) for character in "step 100 ok "]] * HEIGHT
    after = [[(character, 0) for character in "step 101 ok "], *before[1:]]
    painting.of(whole(before)).render_segments(CONSOLE)
    assert painting.of(part(after)).render_segments(CONSOLE) == "\x1b[1;8H1"


def test_another_style_alone_is_a_difference() -> None:
    painting = Painting()
    frame = [[("a", 0)] * WIDTH] * HEIGHT
    painting.of(whole(frame)).render_segments(CONSOLE)
    bold = [[("a", 1), *[("a", 0)] * (WIDTH - 1)], *frame[1:]]
    assert painting.of(part(bold)).render_segments(CONSOLE) == "\x1b[1;1H\x1b[1ma\x1b[0m"


def test_a_screen_of_another_size_is_painted_as_a_whole() -> None:
    painting = Painting()
    frame = [[("a", 0)] * WIDTH] * HEIGHT
    painting.of(whole(frame)).render_segments(CONSOLE)
    larger = LayoutUpdate([[strip_of([("b", 0)], 20)]] * 5, Region(0, 0, 20, 5))
    assert painting.of(larger).render_segments(CONSOLE).count("b") == 5
    update = ChopsUpdate([{}] * 4 + [{0: strip_of([("c", 0)], 20)}], [(4, 0, 20)], [[20]] * 5)
    assert painting.of(update).render_segments(CONSOLE) == "\x1b[5;1Hc"


@pytest.mark.parametrize("sign", ["❤\ufe0f", "訓", "👩\u200d👩", "e\u0301"])
def test_behind_a_sign_that_terminals_take_for_wider_or_less_wide_nothing_is_jumped_over(sign: str) -> None:
    painting = Painting()
    before, after = (f"x {sign} {number} ok".ljust(WIDTH) for number in (1, 2))
    rows = [Strip([Segment(text)]).adjust_cell_length(WIDTH) for text in (before, after)]
    painting.of(LayoutUpdate([[rows[0]]], Region(0, 0, WIDTH, 1))).render_segments(CONSOLE)
    written = painting.of(ChopsUpdate([{0: rows[1]}], [(0, 0, WIDTH)], [[WIDTH]])).render_segments(CONSOLE)
    assert written == f"\x1b[1;3H{rows[1].text[2:]}"


def test_a_wide_character_at_the_end_of_what_is_painted_is_whole() -> None:
    painting = Painting()
    before, after = ([[("a", 0), (sign, 0), ("b", 0)]] for sign in "訓調")
    painting.of(LayoutUpdate([[strip_of(before[0])]], Region(0, 0, WIDTH, 1))).render_segments(CONSOLE)
    update = ChopsUpdate([{0: strip_of(after[0])}], [(0, 0, 2)], [[WIDTH]])
    assert painting.of(update).render_segments(CONSOLE) == "\x1b[1;2H調"
    update = ChopsUpdate([{0: strip_of(after[0])}], [(0, 0, WIDTH)], [[WIDTH]])
    assert painting.of(update).render_segments(CONSOLE) == "", "both its halves stand there"


def test_what_is_forgotten_is_written_again() -> None:
    painting = Painting()
    frame = [[("a", 0)] * WIDTH] * HEIGHT
    painting.of(whole(frame)).render_segments(CONSOLE)
    assert painting.of(part(frame)).render_segments(CONSOLE) == ""
    painting.forget()
    assert painting.of(part(frame)).render_segments(CONSOLE).count("a" * WIDTH) == HEIGHT
