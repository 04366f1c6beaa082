"""The pages about the dashboard say what the program does: what can be made from it is made from it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runs.notify_settings import NotifySettings
from tui import reference
from tui.run_filter import HELP, parse_filter
from tui.settings import Settings
from tui.themes import LOOKS
from tui.verbs import VERBS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "dashboard.md"
README = DOCS.parent / "README.md"
_VERBS = {verb.name for verb in VERBS}
_COMMAND = re.compile(r"^(?:\S+=\S+ )*tinytrain-tui ([a-z]+)", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_FILTERS = re.compile(r"^\| what \| finds \|\n\|.*\n((?:\|.*\n)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> str:
    """The page about the dashboard."""
    return PAGE.read_text(encoding="utf-8")


def test_the_tables_of_the_dashboards_page_are_current(page: str, tmp_path: Path) -> None:
    made = tmp_path / "dashboard.md"
    made.write_text(page, encoding="utf-8")
    # as `make docs` does it: what other tests have defined and changed in this process is not the program
    subprocess.run([sys.executable, "-m", "tui.reference", str(made)], cwd=DOCS.parent, check=True)
    assert page == made.read_text(encoding="utf-8"), "run: make docs"


def test_every_command_of_every_screen_and_pane_is_on_the_dashboards_page(page: str) -> None:
    blocks = reference.block_names(page)
    assert {f"keys {scope}" for scope in reference.scopes()} <= set(blocks)
    assert {"fields", "themes", "settings", "verbs"} <= set(blocks)


def test_a_table_that_is_not_current_is_seen_and_mended() -> None:
    stale = "before\n<!-- themes -->\n\n| theme |  |\n| --- | --- |\n| `old` | gone |\n\n<!-- end -->\nafter\n"
    fresh = reference.with_tables(stale)
    assert "`old`" not in fresh and all(f"`{name}`" in fresh for name in LOOKS)
    assert fresh.startswith("before\n") and fresh.endswith("\nafter\n")


def test_every_setting_is_explained(page: str) -> None:
    explained = page[page.index("| entry | usually |") :]
    own = {field.name for field in dataclasses.fields(Settings)} - {"path", "keys", "notify", "problems"}
    assert {f"`{name}`" for name in own} <= set(re.findall(r"`[^`]+`", explained))
    for field in dataclasses.fields(NotifySettings):
        assert f"`notify.{field.name}`" in explained


def test_every_filter_that_the_page_shows_is_understood(page: str) -> None:
    found = _FILTERS.search(page)
    assert found is not None
    filters = [one for row in found[1].splitlines() for one in _CODE.findall(row.split(" | ")[0])]
    assert len(filters) > 15
    for one in filters:
        parse_filter(one, {"val_accuracy"})


def test_every_flag_that_a_filter_knows_is_named(page: str) -> None:
    with pytest.raises(ValueError, match="none of") as raised:
        parse_filter("is:nothing")
    flags = str(raised.value).partition("none of ")[2].split(", ")
    row = next(line for line in page.splitlines() if line.startswith("| `is:live`"))
    assert len(flags) > 5 and all(flag in row for flag in flags)
    assert "is:live" in HELP


@pytest.mark.parametrize("name", ["README.md", "docs/dashboard.md", "docs/comparison.md", "docs/how-it-works.md"])
def test_every_verb_that_is_shown_is_one(name: str) -> None:
    text = (DOCS.parent / name).read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    spans = [span for span in _CODE.findall(text) if span.startswith("tinytrain-tui ")]
    verbs = set(_COMMAND.findall("\n".join([*lines, *spans])))
    assert verbs <= _VERBS, f"{verbs - _VERBS} in {name}"


def test_every_key_of_the_readmes_table_is_one() -> None:
    text = README.read_text(encoding="utf-8")
    rows = text[text.index("## Keys") : text.index("## Presets")].splitlines()
    named = {key for row in rows if row.startswith("| `") for key in _CODE.findall(row.split(" | ")[0])}
    usual = {"enter", "esc", "tab", "space"}
    own = {key.replace("ctrl+", "^") for key in named - usual}
    known = {key for commands in reference.scopes().values() for one in commands for key in reference.keys_of(one)}
    assert len(own) > 40 and own <= known


def test_every_page_that_is_linked_is_there() -> None:
    for path in (README, *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{target} in {path.name}"
