"""The quick form of promise 9 and of the terminal's: hostile text is inert, the terminal is given back whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import harness_terminal, harness_text
from tests.faults.figures import table
from tests.faults.inertness import offences_in_lines, offences_on_screen
from tests.faults.payloads import payloads
from tests.faults.terminal import Screen, tokens


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_hostile_text_is_inert_on_every_screen_and_dialog(tmp_path: Path) -> None:
    figures = harness_text.measure_screens(tmp_path, "quick")
    assert all(figure.is_as_promised for figure in figures), table(figures)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_hostile_text_is_inert_in_every_verb_and_report(tmp_path: Path) -> None:
    figures = harness_text.measure_verbs(tmp_path, "quick")
    assert all(figure.is_as_promised for figure in figures), table(figures)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_terminal_is_given_back_whole_whatever_ends_the_dashboard(tmp_path: Path) -> None:
    figures = harness_terminal.measure(tmp_path, "quick")
    assert all(figure.is_as_promised for figure in figures), table(figures)


def test_the_harness_knows_what_textual_sends_and_what_it_never_does() -> None:
    drawn = "\x1b[?2026h\x1b[3;5H\x1b[1;38;2;1;2;3;48;2;9;9;9mwarm-otter\x1b[0m\r\n\x1b]22;default\x07\x1b[?2026l"
    assert offences_on_screen(drawn, 80, 24) == []
    for hostile in (
        "\x1b]0;x\x07",
        "\x1b[8m",
        "\x1b[99;1H",
        "\x1b[2J",
        "\x9b1m",
        "\x1bc",
        "\x07",
        "a\u202eb",
        "\udc9b",
        "\x00",
        "\r",
    ):
        assert offences_on_screen(f"{drawn}{hostile}{drawn}", 80, 24), ascii(hostile)


def test_every_kind_of_payload_would_be_noticed_if_it_came_out_as_it_is() -> None:
    noticed = [text for text in payloads(600) if offences_on_screen(text, 80, 24)]
    printable = [text for text in payloads(600) if not offences_in_lines(text)]
    assert len(noticed) > 450
    assert all("Qq" in text for text in printable)  # what is left is markup, and looks for a click or a crash


def test_a_screen_shows_what_was_written_where() -> None:
    screen = Screen(10, 3)
    screen.write("\x1b[2;3Hab\x1b[1;1H\x1b[1mx界y\x1b[0m\r\n")
    assert screen.lines() == ["x界y", "  ab", ""]
    assert [token.kind for token in tokens("a\x1b[1m\x1b]0;t\x07\x1bc\x00")] == [
        "text",
        "sequence",
        "string",
        "escape",
        "control",
    ]
