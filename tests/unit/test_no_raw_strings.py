"""No text from outside reaches a widget, a title, a notification or a line of output unless made harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.program import Program
from tests.flow.sinks import leaks

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("presets", "runs", "tui")
# of the others a string is foreign, whoever made it: what they say holds names, paths and messages
OPENED = ("tui", "runs.clock")

BEGINNING = """
from dataclasses import dataclass
from typing import Literal
from textual.app import App
from textual.content import Content
from textual.widgets import Static, DataTable, Button
from rich.text import Text
from tui.safe_text import plain, safe_text, safe_lines

@dataclass(frozen=True)
class Run:
    name: str
    step: int
    state: Literal["running", "failed"]

"""
# the name is data read from a file, as all of `runs` is: nothing in the program says what it holds
LOAD = "\ndef load(data) -> Run: return Run(data['name'], data['step'], 'failed')"
# each is a program of its own that shows `run.name`, which may be anything
LEAKS = {
    "a widget": "def f(run: Run): return Static(run.name)",
    "an f-string": "def f(run: Run): return Content(f'{run.step:,} {run.name:>12}')",
    "a title": "class P(Static):\n    def f(self, run: Run): self.border_title = 'Run ' + run.name",
    "a title that is safe text, which is read as markup": "class P(Static):\n    def f(self, run: Run): "
    "self.border_title = safe_text(run.name)",
    "update": "class P(Static):\n    def f(self, run: Run): self.update(run.name)",
    "a notification with markup": "def f(app: App, run: Run): app.notify(safe_text(run.name))",
    "a notification": "def f(app: App, run: Run): app.notify(f'{run.name} is gone', markup=False)",
    "a table's cell": "def f(table: DataTable, run: Run): table.add_row(Text('a'), safe_text(run.name))",
    "a styled text": "def f(run: Run): return Content.styled(run.name, 'bold')",
    "a style": "def f(run: Run): return Content.styled('x', run.name)",
    "a part of an assembled text": "def f(run: Run): return Content.assemble('a', (run.name, 'bold'))",
    "print": "def f(run: Run): print('run', run.name)",
    "the error stream": "import sys\ndef f(run: Run): sys.stderr.write(run.name)",
    "an exception's text": "def f(run: Run):\n    try: pass\n    except OSError as error: print(error)",
    "a local name": "def f(run: Run):\n    name = run.name.strip()\n    return Content(name)",
    "another function": "def g(run: Run): return f'the {run.name}'\ndef f(run: Run): return Content(g(run))",
    "a parameter": "def show(text: str): return Content(text)\ndef f(run: Run): return show(run.name)",
    "a list that is filled": "def f(run: Run):\n    lines = ['a']\n    lines.append(run.name)\n"
    "    return [Content(line) for line in lines]",
    "one part of a row": "def rows(run: Run): return [('name', run.name), ('step', 'x')]\n"
    "def f(run: Run): return [Content(text) for _, text in rows(run)]",
    "an attribute": "class P(Static):\n    def __init__(self, run: Run):\n        self._name = run.name\n"
    "    def f(self): return Content(self._name)",
    "a message that is sent": "@dataclass\nclass Said:\n    words: str\ndef g(run: Run): return Said(run.name)\n"
    "def f(said: Said): return Content(said.words)",
    "a button": "def f(run: Run): return Button(run.name)",
    "one of two": "def f(run: Run): return Content(run.state or run.name)",
    "what is read": "from pathlib import Path\ndef f(path: Path): return Content(path.read_text())",
}  # fmt: skip
HARMLESS = {
    "numbers and words of ours": "def f(run: Run): return Static(f'{run.step:,} steps, {run.state}')",
    "plain": "def f(run: Run): return Static(plain(run.name, 60))",
    "safe text in Content": "def f(run: Run): return Content(f'{safe_text(run.name)} at {run.step}')",
    "a row of pairs": "def rows(run: Run): return [('name', safe_text(run.name)), ('state', run.state)]\n"
    "def f(run: Run): return [Content.assemble((name, 'bold'), text) for name, text in rows(run)]",
    "joined": "def f(run: Run): return Static(Content('\\n').join(plain(line) for line in run.name.splitlines()))",
    "a repr, printed": "def f(run: Run): print(f'no run is called {run.name!r}')",
}  # fmt: skip


def found_in(folder: Path, source: str) -> list[str]:
    (folder / "tui").mkdir()
    (folder / "tui" / "one.py").write_text(BEGINNING + source + "\n", encoding="utf-8")
    return [leak.place for leak in leaks(Program(folder, ("tui",), ("tui",)))]


def test_everything_that_the_dashboard_and_the_verbs_show_is_harmless() -> None:
    found = leaks(Program(ROOT, PACKAGES, OPENED))
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("source", LEAKS.values(), ids=LEAKS.keys())
def test_a_leak_is_found(source: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, source + LOAD)


@pytest.mark.parametrize("source", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_harmless_is_left_alone(source: str, tmp_path: Path) -> None:
    assert not found_in(tmp_path, source + LOAD)


TAKEN_OUT = {
    "tui/widgets/run_painter.py": ("Segment(safe_text(fit(text, column.width", "Segment((fit(text, column.width"),
    "tui/widgets/log_view.py": ("text = safe_text(line.shown, _MOST_COLUMNS)", "text = line.shown"),
    "tui/cli_output.py": ("print(safe_text(line, limit), flush=True)", "print(line, flush=True)"),
    "tui/screens/dialogs.py": ("Static(Content(safe_lines(body))", "Static(Content(body)"),
    "tui/widgets/preset_list.py": ("plain(problem, 400", "Content.styled(problem"),
    "tui/app.py": ("self.notify(safe_text(words, 500),", "self.notify(words,"),
}


def test_a_sanitiser_taken_out_of_the_program_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def changed(self: Path, *arguments: str, **options: str) -> str:
        source = read(self, *arguments, **options)
        before, after = TAKEN_OUT.get(str(self.relative_to(ROOT)), ("", ""))
        assert before in source, f"{self} no longer holds {before!r}"
        return source.replace(before, after) if before else source

    monkeypatch.setattr(Path, "read_text", changed)
    found = leaks(Program(ROOT, PACKAGES, OPENED))
    expected = {module.removesuffix(".py").replace("/", ".") for module in TAKEN_OUT}
    assert expected <= {leak.module for leak in found}
