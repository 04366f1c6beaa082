"""The settings of a run in a line or two."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from presets.catalog import find_preset, save_preset
from presets.config import with_values
from tui.setting_words import changed_settings, folded, setting_items

ITEMS = ("batch 32", "length 128", "bf16", "8 × cuda", "optim.lr: 0.001 → 0.003", "model.dropout: 0 → 0.1")


def test_what_fits_stands_there_and_the_last_line_says_how_many_are_left() -> None:
    assert folded(ITEMS, 200, 1, "z") == (" · ".join(ITEMS),)
    assert folded(ITEMS, 60, 1, "z") == ("batch 32 · length 128 · bf16 · 8 × cuda · … 2 more: z",)
    first, second = folded(ITEMS, 46, 2, "z")
    assert (first, second) == ("batch 32 · length 128 · bf16 · 8 × cuda", "optim.lr: 0.001 → 0.003 · … 1 more: z")
    assert folded(ITEMS, 48, 3) == (first, " · ".join(ITEMS[4:]))


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_no_line_is_longer_than_there_is_room_and_nothing_is_left_out_unsaid(rows: int) -> None:
    for width in range(24, 130):
        lines = folded(ITEMS, width, rows, "z")
        assert len(lines) <= rows and all(cell_len(line) <= width for line in lines), (width, lines)
        shown = sum(item in "\n".join(lines) for item in ITEMS)
        assert shown == len(ITEMS) or "…" in lines[-1], (width, lines)


def test_a_run_is_compared_with_its_preset_and_without_one_with_the_defaults() -> None:
    preset = find_preset("v1-imdb-small")
    config = with_values(preset.config, {"optim.lr": 3e-3, "train.accumulation_steps": 4, "probes.texts": ("a",)})
    changed = changed_settings(config, "v1-imdb-small")
    assert {change.path for change in changed.changes} == {"optim.lr", "train.accumulation_steps"}
    words = " · ".join(setting_items(config, None, changed))
    assert f"batch {config.train.batch_size} × 4 passes" in words and "changed from v1-imdb-small: " in words
    assert "optim.lr: 0.02 → 0.003" in words and "probes" not in words
    assert setting_items(preset.config, None, changed_settings(preset.config, preset.name))[-1] == (
        "all else as in v1-imdb-small"
    )
    unknown = changed_settings(preset.config, "a preset that was deleted")
    assert unknown.base == "the defaults" and unknown.changes


def test_a_name_of_somebody_else_can_do_nothing() -> None:
    config = find_preset("quickstart").config
    words = "".join(setting_items(config, None, changed_settings(config, "\x1b[2J\u202e")))
    assert words.isprintable() and "\x1b" not in words


def test_the_persons_own_preset_counts() -> None:
    config = with_values(find_preset("quickstart").config, {"train.batch_size": 7})
    save_preset("mine", config, "")
    assert changed_settings(config, "mine").changes == ()
