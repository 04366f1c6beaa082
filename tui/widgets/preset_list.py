"""The presets to start from, shipped ones first, and what the one under the cursor is for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from presets import corpora
from presets.catalog import Preset
from presets.estimate import Machine, estimate
from presets.rules import Problem
from tui.figures import num_bytes, short_duration
from tui.messages import PresetChosen
from tui.safe_text import MUTED, plain, safe_text

_HUB = "⇣"
_MARKED = "✓"


class _Options(OptionList):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]


class PresetList(Vertical):
    """Posts PresetChosen when the cursor comes to another preset."""

    DEFAULT_CSS = """
    PresetList > _Options {
        height: 1fr; border: none; background: transparent; padding: 0; scrollbar-size-vertical: 1;
    }
    PresetList > _Options:focus { border: none; background: transparent; }
    PresetList > _Options > .option-list--option { padding: 0; }
    PresetList > #summary { height: auto; max-height: 9; color: $text-muted; }
    """

    def __init__(self, machine: Machine, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._machine = machine
        self._presets: dict[str, Preset] = {}
        self._problems: dict[str, Problem] = {}
        self._marked: set[str] = set()
        self._own: tuple[Preset, ...] = ()
        self._options = _Options(markup=False)
        self._summary = Static(id="summary")

    def compose(self) -> ComposeResult:
        yield self._options
        yield self._summary

    def see_machine(self, machine: Machine) -> None:
        """Take what has been found out about the machine; `load` shows it."""
        self._machine = machine

    @property
    def options(self) -> OptionList:
        """The list itself, for focus."""
        return self._options

    def load(
        self,
        shipped: tuple[Preset, ...],
        own: tuple[Preset, ...],
        broken: tuple[Problem, ...],
        copies: tuple[Preset, ...] = (),
    ) -> None:
        """Show these presets, the cursor where it was. copies: of runs, saved nowhere."""
        options = self.options
        at, before = options.highlighted, self._key_here
        self._presets = {preset_key(preset): preset for preset in (*shipped, *copies, *own)}
        self._own = own
        self._problems = {f"broken:{number}": problem for number, problem in enumerate(broken)}
        self._marked &= self._presets.keys()
        with self.prevent(OptionList.OptionHighlighted):
            options.clear_options()
            options.add_options([Option(self._line(preset), id=preset_key(preset)) for preset in shipped])
            if copies:
                options.add_option(Option(Content.styled("copies, not saved", "$text-primary"), disabled=True))
            options.add_options([Option(self._line(preset), id=preset_key(preset)) for preset in copies])
            if own or broken:
                options.add_option(Option(Content.styled("yours", "$text-primary"), disabled=True))
            options.add_options([Option(self._line(preset), id=preset_key(preset)) for preset in own])
            for id, problem in self._problems.items():
                name = problem.paths[0].rsplit("/", 1)[-1] if problem.paths else "?"
                options.add_option(Option(Content.assemble(("✗ ", "$text-error"), plain(name, 18)), id=id))
        if before in self._presets or before in self._problems:
            options.highlighted = options.get_option_index(before)
        else:
            options.highlighted = min(at or 0, options.option_count - 1)

    def choose(self, preset: Preset) -> None:
        """Put the cursor on a preset of that name and origin."""
        self.options.highlighted = self.options.get_option_index(preset_key(preset))

    @property
    def chosen(self) -> tuple[Preset, ...]:
        """The marked presets, in the list's order; with fewer than two, the one under the cursor besides."""
        here = self._key_here
        wanted = self._marked | ({here} if here and len(self._marked) < 2 else set())
        return tuple(preset for key, preset in self._presets.items() if key in wanted)

    @property
    def own(self) -> tuple[Preset, ...]:
        """The presets of one's own that are saved."""
        return self._own

    @property
    def here(self) -> Preset | None:
        """The preset under the cursor; None on a file that cannot be read."""
        return self._presets.get(self._key_here)

    @property
    def problem_here(self) -> str:
        """Why the file under the cursor cannot be read, in a sentence; empty on a preset."""
        return self._problem_of(self._key_here)

    @property
    def _key_here(self) -> str:
        at = self.options.highlighted
        return "" if at is None else self.options.get_option_at_index(at).id or ""

    def toggle_mark(self) -> None:
        """Mark the preset under the cursor, or take its mark away."""
        key = self._key_here
        if key in self._presets:
            self._marked ^= {key}
            self.options.replace_option_prompt(key, self._line(self._presets[key]))

    def _line(self, preset: Preset) -> Content:
        """Title on the left, mark of the hub and time on the right, 21 cells in all."""
        figures = estimate(preset.config, self._machine)
        seconds = figures.time_s.value
        time = "" if seconds is None else short_duration(seconds) + ("?" if figures.on_gpu else "")
        mark = _HUB if preset.config.data.source == "hub" else " "
        if preset_key(preset) in self._marked:
            title = f"{_MARKED} {safe_text(preset.title, 14)}"
        else:
            title = safe_text(preset.title, 16)
        return Content.assemble(f"{title:<16}", (f"{mark}{time:>4}", MUTED))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        id = event.option_id or ""
        problem = self._problem_of(id)
        if problem:
            self._summarise(plain(problem, 400, "$text-error"))
            self.post_message(PresetChosen(None))
            return
        preset = self._presets.get(id)
        if preset is not None:
            self._summarise(_summary(preset))
            self.post_message(PresetChosen(preset))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        """A low terminal has no room for the lines that say what is wrong with a file."""
        problem = self._problem_of(event.option_id or "")
        if problem:
            self.notify(safe_text(problem, 400), severity="warning", markup=False)

    def _problem_of(self, id: str) -> str:
        problem = self._problems.get(id)
        return f"This file cannot be read. {problem.paths[0]}: {problem.message}" if problem else ""

    def _summarise(self, text: Content) -> None:
        self._summary.update(text)


def preset_key(preset: Preset) -> str:
    """Tells a person's preset from a shipped one of the same name."""
    return f"{'shipped' if preset.shipped else 'own'}:{preset.name}"


def _summary(preset: Preset) -> Content:
    parts = [safe_text(preset.summary, 300)] if preset.summary else []
    data = preset.config.data
    if data.source == "hub":
        facts = corpora.facts(data)
        size = f" ({num_bytes(facts.download_bytes)} to download)" if facts else ""
        parts.append(f"{_HUB} {safe_text(data.dataset, 80)} from the hub{size}.")
    return Content("\n").join(Content(part) for part in parts)
