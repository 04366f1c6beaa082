"""Presets of one's own in a terminal of 80 × 24: saved, copied, handed on, compared, deleted, brought back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from presets.catalog import find_preset, own_presets
from presets.config import with_values
from presets.estimate import estimate
from presets.memory_fit import memory_fit
from runs.folder import create_run
from tests.conftest import ROOT, wait_until
from tests.e2e.tmux import Terminal
from tests.run_writer import AttemptWriter
from tui.machine import this_machine

_DASHBOARD = f"PYTHONPATH={ROOT} {sys.executable} -m tui"
_AT_THE_PRESETS = r"H Recent"  # in the key line; in a field it names other keys


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Terminal]:
    """A tmux window of 80 × 24."""
    opened = Terminal(tmp_path, 80, 24)
    yield opened
    opened.close()


def names() -> set[str]:
    return {preset.name for preset in own_presets()[0]}


def go_to(terminal: Terminal, path: str, label: str) -> None:
    """To a field of the form, by its name."""
    terminal.type("/")
    terminal.see(r"\^s Save +\^p palette")  # the key line of a text
    terminal.type(f"={path}")
    terminal.see(rf"│ {path} +(as the preset|\d changed)")
    terminal.type("Enter")
    terminal.see(rf"{label} {path.replace('.', chr(92) + '.')}")  # the field's help


def back_to_the_presets(terminal: Terminal) -> None:
    """Out of the field, out of the search."""
    terminal.type("Escape")
    terminal.see(r"/ search fields +(as the preset|\d changed)")
    terminal.type("Escape")
    terminal.see(_AT_THE_PRESETS)


def rows_that_need(share: float) -> int:
    """The batch with which quickstart takes that share of the memory that is free here."""
    config, machine = find_preset("quickstart").config, this_machine(0)

    def needed(rows: int) -> float:
        asked = with_values(config, {"train.batch_size": rows})
        return memory_fit(asked, estimate(asked, machine), machine).needed_bytes

    each = (needed(2048) - needed(1024)) / 1024
    return round((share * machine.free_memory_bytes - needed(1024)) / each) + 1024


def colour_of(terminal: Terminal, words: str) -> str:
    """The sequence that colours these words."""
    return wait_until(lambda: re.search(rf"\x1b\[([\d;]+)m[^\x1b]*{words}", terminal.coloured()), what=words)[1]


def test_a_preset_is_saved_copied_handed_on_compared_deleted_and_brought_back(
    small: Terminal, tmp_path: Path, runs_path: Path
) -> None:
    file = tmp_path / "second.toml"
    small.open(_DASHBOARD, tmp_path)
    small.see(r"quickstart[\s\S]*ready to launch")

    # a field is changed, and the form saved
    go_to(small, "model.hidden_size", "hidden size")
    small.type("C-u", "=64")
    small.see(r"• hidden size +64 +was 128")
    small.type("C-s")
    small.see(r"Save as a preset of your own[\s\S]*enter saves it")
    small.type("=mine", "Enter")
    small.see(r"│ mine  ")
    back_to_the_presets(small)
    assert find_preset("mine").config.model.hidden_size == 64

    # copied, the copy written to a file
    small.type("D")
    small.see(r"Duplicate the preset[\s\S]*mine-copy")
    small.type("C-u", "=second", "Enter")
    small.see(r"│ second  ")
    small.type("E")
    small.see(r"Export the preset[\s\S]*second\.toml")
    small.type("C-u", f"={file}", "Enter")
    wait_until(lambda: file.exists() and "hidden_size = 64" in file.read_text(), what="the file is written")
    small.see(_AT_THE_PRESETS)

    # the file is changed elsewhere, and taken in after a look at what is different
    file.write_text(file.read_text().replace("hidden_size = 64", "hidden_size = 96"))
    small.type("I")
    small.see(r"Import a preset[\s\S]*nothing is taken yet")
    small.type(f"={file}", "Enter")
    small.see(r"model\.hidden_size: 64 → 96[\s\S]*Replace it")
    assert find_preset("second").config.model.hidden_size == 64
    small.type("y")
    small.see(r"│ second  [\s\S]*hidden size +96 |hidden size +96 [\s\S]*│ second  ")
    assert find_preset("second").config.model.hidden_size == 96

    # deleted, and brought back
    small.see(_AT_THE_PRESETS)
    small.type("d")
    small.see(r"│ mine  ")
    wait_until(lambda: names() == {"mine"}, what="it is gone")
    small.see_no("│ second  ")
    small.type("C-z")
    small.see(r"│ second  ")
    assert find_preset("second").config.model.hidden_size == 96
    small.type("q")
    small.see(r"ended with 0")


def test_memory_is_said_in_word_and_colour_the_command_copied_and_a_former_configuration_taken(
    small: Terminal, tmp_path: Path, runs_path: Path
) -> None:
    config = with_values(find_preset("quickstart").config, {"optim.lr": 0.125})
    folder = create_run(runs_path, config, name="warm-otter", preset="quickstart")
    attempt = AttemptWriter(folder)
    attempt.start()
    attempt.train(5, 1.0)
    attempt.evaluate(5.5)
    attempt.end("finished")
    small.open(_DASHBOARD, tmp_path)
    small.see(r"quickstart[\s\S]*✓ fits[\s\S]*ready to launch")

    # green, amber, red: as the field says
    green = colour_of(small, "✓ fits")
    go_to(small, "train.batch_size", "batch")
    small.type("C-u", f"={rows_that_need(0.8)}")
    small.see(r"! tight")
    amber = colour_of(small, "! tight")
    small.type("C-u", "=65536")
    small.see(r"✗ [^\n]*\n│ +too large")
    red = colour_of(small, "too large")
    assert len({green, amber, red}) == 3
    small.type("C-u", "=16")
    small.see(r"✓ fits")
    assert colour_of(small, "✓ fits") == green

    # the command of the form
    back_to_the_presets(small)
    small.type("y")
    copied = wait_until(small.copied, what="the terminal has the command")
    assert copied.split("tinytrain-tui ")[1] == "train quickstart --set train.batch_size=16"

    # what was launched before
    small.type("H")
    small.see(r"warm-otter[\s\S]*lr 0\.125|lr 0\.125")
    small.type("Enter")
    small.see(r"╭─ [Cc]opy of warm-otter ─[\s\S]*learning rate +0\.125 ")
    small.type("q")
    small.see(r"ended with 0")
