"""Probes on the screen and on the command line: masks, labels, and texts that go on."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from runs.events import Candidate, ProbeResult
from tui.cli_lines import say_probes
from tui.widgets.probe_table import fit_probes

GOES_ON = ProbeResult(
    "we the", (), generated=" people of the united states, in order to form a more perfect union"
)
LABELS = ProbeResult("a good film", ((Candidate("positive", 0.9), Candidate("negative", 0.1)),))


def shown(probes: list[ProbeResult], width: int, height: int) -> list[str]:
    return [line.plain for line in fit_probes(probes, None, width, height)]


def test_a_text_that_goes_on_is_wrapped_below_its_beginning() -> None:
    assert shown([GOES_ON], 42, 10) == [
        "we the",
        "  → people of the united states, in order",
        "  to form a more perfect union",
    ]


def test_what_continues_a_word_shows_no_space() -> None:
    assert shown([ProbeResult("the unconstitution", (), generated="ality of it")], 40, 4)[1] == "  →ality of it"


def test_less_of_each_text_is_shown_where_there_is_less_room_and_what_is_left_out_is_said() -> None:
    lines = shown([GOES_ON, GOES_ON], 40, 4)
    assert len(lines) == 4
    assert lines[1] == lines[3] == "  → people of the united states, in …"
    assert shown([GOES_ON] * 3, 40, 3)[-1] == "… 4 more lines: z enlarges"


def test_a_long_text_is_wrapped_once_however_many_lines_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    wrap = textwrap.wrap

    def counted(text: str, width: int, **options: Any) -> list[str]:
        calls.append(text)
        return wrap(text, width, **options)

    monkeypatch.setattr(textwrap, "wrap", counted)
    long = ProbeResult("we the", (), generated=" people of the states" * 200)
    lines = shown([long] * 4, 40, 20)
    assert len(calls) == 4
    assert len(lines) == 20 and [line[-1] for line in lines[4::5]] == ["…"] * 4


@pytest.mark.parametrize("height", range(2, 20))
def test_a_text_is_cut_as_if_it_were_wrapped_to_as_many_lines(height: int) -> None:
    text = GOES_ON.generated * 4
    lines = shown([ProbeResult("we the", (), generated=text)], 42, height)
    expected = textwrap.wrap(
        text, 42, max_lines=height - 1, placeholder=" …", initial_indent="  →", subsequent_indent="  "
    )
    assert lines == ["we the", *expected]


def test_labels_have_bars_and_stand_beside_texts_that_go_on() -> None:
    lines = shown([LABELS, GOES_ON], 60, 12)
    assert lines[0] == "a good film"
    assert "positive" in lines[1] and "90.0%" in lines[1] and "10.0%" in lines[2]


def test_control_characters_of_a_models_text_do_nothing() -> None:
    wild = ProbeResult("x\x1b[31m", (), generated=" a\x1b[2Jb\nc\u202e")
    assert not {"\x1b", "\n", "\u202e"} & set("".join(shown([wild], 60, 5)))


def test_the_command_line_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    say_probes((GOES_ON, LABELS))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "  we the → people of the united states, in order to form a more perfect union"
    assert printed[1] == "  a good film  →  positive 0.90  negative 0.10"
