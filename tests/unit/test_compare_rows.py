"""The rows of Compare: lists that differ, notes that fit, and columns that share the room there is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from presets import config as configs
from presets.schema import RunConfig
from runs.compare import Comparison, comparison_of, read_whole
from runs.compared_figures import FigureRow
from runs.folder import create_run
from tui import compare_rows
from tui.widgets.side_by_side import SideBySide


def comparison(runs: Path, *texts: tuple[str, ...]) -> Comparison:
    folders = [
        create_run(runs, configs.with_values(RunConfig(), {"probes.texts": one}), name=f"run{number}")
        for number, one in enumerate(texts)
    ]
    return comparison_of([read_whole(folder) for folder in folders])


def test_of_lists_that_differ_one_sees_what_not_all_have(runs_path: Path) -> None:
    found = comparison(runs_path, ("the [MASK]", "a [MASK]"), ("the [MASK]", "one [MASK]"), ("the [MASK]",))
    (row,) = compare_rows.setting_rows(found, everything=False)
    assert [cell.text for cell in row.cells] == ["… | a [MASK]", "… | one [MASK]", "…"]
    alike = comparison(runs_path, ("the [MASK]",), ("the [MASK]",))
    row = next(row for row in compare_rows.setting_rows(alike, everything=True) if row.key == "probes.texts")
    assert [cell.text for cell in row.cells] == ["the [MASK]"] * 2


@pytest.mark.parametrize("width", [20, 58, 78, 198])
def test_notes_fit_and_say_so_when_they_are_cut(width: int) -> None:
    note = "validation losses measure different things, so none is best: data.lowercase, data.tokenizer differ"
    hint, said = compare_rows.note_lines("The newest runs. c chooses others.", (note, "\x1b[2J" * 9), width)
    lines = said.split("\n")
    assert len(lines) <= 2 and all(len(line) <= width for line in (hint, *lines))
    assert said.endswith("…") == (width < 78) and "\x1b" not in said
    assert compare_rows.note_lines("", (), width) == ("", "")


def test_the_run_under_the_cursor_is_told_from_others_of_its_name(runs_path: Path) -> None:
    found = comparison(runs_path, ("the [MASK]",), ("a [MASK]",))
    first = found.runs[0]
    named = msgspec.structs.replace(first, preset="quick\x1bstart", dataset="addresses", reason="out of memory")
    told = compare_rows.run_words(msgspec.structs.replace(found, runs=(named, found.runs[1])), first.id)
    assert told == f"{first.id} · preset quick␛start · addresses · out of memory"
    assert compare_rows.run_words(found, "gone") == ""


def test_of_figures_that_read_the_same_none_is_better(runs_path: Path) -> None:
    found = comparison(runs_path, ("x [MASK]",), ("y [MASK]",), ("z [MASK]",))

    def stars(*sizes: float) -> list[bool]:
        row = FigureRow("size_bytes", "size on disk", "bytes", sizes, (sizes.index(min(sizes)),))
        (shown,) = compare_rows.figure_table(msgspec.structs.replace(found, figures=(row,)))
        return [cell.text.startswith("★ ") for cell in shown.cells]

    assert stars(28_000_100, 28_000_000, 28_000_200) == [False] * 3, "all of them are 28 MB"
    assert stars(28_000_100, 28_000_000, 35_000_000) == [True, True, False]


def test_where_all_columns_fit_what_is_left_goes_to_labels_and_names(runs_path: Path) -> None:
    found = comparison(runs_path, ("x [MASK]",), ("y [MASK]",), ("z [MASK]",))
    runs = tuple(msgspec.structs.replace(run, name=f"a-long-name-of-a-run-{run.name[-1]}") for run in found.runs)
    pane = SideBySide("Figures", "figures")
    pane.heads = compare_rows.heads_of(runs)
    label_words = "a label of many words, more than twenty-eight cells"
    row = compare_rows.Row("x", label_words, (compare_rows.Cell("5.4"),) * 3)
    pane.rows = (row,)
    full = len(row.label) + 2 + 3 * (len(pane.heads[0].text) + 2)
    label, widths = pane._widths(full - 10)
    assert label + sum(widths) + 6 == full - 10 and label == len(row.label) + 2  # nothing is left over
    assert max(widths) - min(widths) <= 1
    assert sum(pane._widths(full)[1]) + pane._widths(full)[0] + 6 == full
    runs_pane = SideBySide("Runs", "runs", narrowest=12)
    runs_pane.heads = compare_rows.plain_heads(("state", "step", "newest"))
    cells = tuple(compare_rows.Cell(text) for text in ("● running", "11,060/20,000", "5.9876"))
    runs_pane.rows = (compare_rows.Row("x", "A a-name-of-twenty-four-cells", cells),)
    label, widths = runs_pane._widths(50)  # the newest figure is never cut off for a name
    assert label + sum(widths) + 6 <= 50 and label >= 12
    label, widths = pane._widths(40)
    assert label + widths[0] + 2 <= 40  # one column at least
