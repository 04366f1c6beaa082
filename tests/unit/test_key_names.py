"""The names by which keys are given anew: what a person can guess, and the same tomorrow."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

NAMES = """
import json
from tui.reference import scopes
print(json.dumps({name: [command.id for command in commands] for name, commands in scopes().items()}))
"""

SCREENS = {"app", "launch", "monitor", "runs", "compare", "playground", "data", "preset_comparison"}
PANES = {
    "chart": {
        "crosshair_left", "crosshair_right", "crosshair_far_left", "crosshair_far_right", "pan_left", "pan_right",
        "zoom_in", "zoom_out", "follow", "axis", "log_scale", "smoothing",
    },
    "log": {
        "search", "next_match", "previous_match", "level", "rank", "follow", "left", "right", "first_line",
        "last_line", "end_search",
    },
    "probes": {"earlier", "later", "ten_earlier", "ten_later", "first", "newest", "words_or_ranks"},
    "compare_probes": {"earlier", "later"},
    "compare_settings": {"previous_difference", "next_difference"},
    "form": {"next_field", "previous_field"},
    "form_choice": {"next_choice", "previous_choice"},
    "form_group": {"fold", "unfold"},
    "data_list": {"preview"},
    "filter": {"to_list", "clear"},
}  # fmt: skip
NAME = re.compile(r"[a-z]+(_[a-z]+)*")


@pytest.fixture(scope="module")
def names() -> dict[str, list[str]]:
    """Of a program of its own: other tests declare panes too."""
    said = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, list[str]] = json.loads(said.stdout)
    return found


def test_screens_and_panes_have_names_of_their_own_that_stay(names: dict[str, list[str]]) -> None:
    assert set(names) - set(PANES) == SCREENS
    assert {scope: set(names[scope]) for scope in PANES} == PANES


def test_every_name_is_made_of_words(names: dict[str, list[str]]) -> None:
    for scope, commands in names.items():
        assert NAME.fullmatch(scope) and len(set(commands)) == len(commands)
        assert all(NAME.fullmatch(command) for command in commands), scope
