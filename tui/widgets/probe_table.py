"""The probes over the run: what the model says at one step, and the rank of what belongs there."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from runs.events import Probed
from tui.safe_text import FAINT, plain
from tui.widgets.probe_lines import fit_probes
from tui.widgets.rank_curve import rank_lines, ranks_of
from tui.widgets.sparkline import draws_ascii

_SCRUBBER_FROM = 9  # lines of a pane that has one for it
_MOST_DRAWN = 400  # probings; a thousand of many sentences would take longer than a key may
_CURVE_FROM, _CURVE_MOST = 8, 18  # lines left by the words from which the ranks stand below them, and at most


class ProbeTable(Static, can_focus=True):
    """Shows the newest probing until a person goes back to an earlier one; words, or their ranks as curves."""

    HELP = (
        "What the model says of each sentence at one step, with the probability over the whole vocabulary. "
        "← and → go to earlier and later probings, home and end to the first and the newest. w shows the rank of "
        "the word that belongs in each mask as a curve, with rank 1 at the top; B edits the sentences."
    )
    KEYS_SCOPE = "probes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "scrub(-1)", "Earlier", id="earlier", show=False, tooltip="The probing before."),
        Binding("right", "scrub(1)", "Later", id="later", show=False, tooltip="The probing after."),
        Binding(
            "shift+left", "scrub(-10)", "10 earlier", id="ten_earlier", show=False, tooltip="Ten probings back."
        ),
        Binding("shift+right", "scrub(10)", "10 later", id="ten_later", show=False, tooltip="Ten probings on."),
        Binding("home", "scrub(-1000000)", "First", id="first", show=False, tooltip="The first probing."),
        Binding(
            "end", "scrub(1000000)", "Newest", id="newest", show=False, tooltip="The newest probing, and follow."
        ),
        Binding(
            "w",
            "turn",
            "Words, ranks",
            id="words_or_ranks",
            tooltip="Words at one step, or the rank of what belongs there.",
        ),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, classes="pane")
        self.border_title = "Probes"
        self._probes: tuple[Probed, ...] = ()
        self._at: int | None = None  # None follows the newest
        self._why_empty = ""
        self._is_curve = False

    def show(self, probes: tuple[Probed, ...], why_empty: str = "no probes yet") -> None:
        """Take all probings, oldest first; a place that was chosen stays chosen."""
        if probes == self._probes and why_empty == self._why_empty:
            return
        if self._at is not None:
            step = self._probes[self._at].step
            self._at = max((i for i, probed in enumerate(probes) if probed.step <= step), default=None)
        self._probes, self._why_empty = probes, why_empty
        self._draw()

    def scrub(self, by: int) -> None:
        """Go to an earlier or a later probing; past the newest it follows again."""
        if not self._probes:
            return
        newest = len(self._probes) - 1
        at = max(0, (newest if self._at is None else self._at) + by)
        self._at = None if at >= newest else at
        self._draw()

    def action_scrub(self, by: int) -> None:
        """The same, by a key."""
        self.scrub(by)

    def action_turn(self) -> None:
        """From words to ranks and back."""
        self._is_curve = not self._is_curve
        self._draw()

    @property
    def step(self) -> int | None:
        """The step that is shown."""
        return self._probes[self._index].step if self._probes else None

    @property
    def _index(self) -> int:
        return len(self._probes) - 1 if self._at is None else self._at

    def on_resize(self, event: events.Resize) -> None:
        """Show as many words as there is room for."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.content_size
        if not width or not height:
            return
        if not self._probes:
            self.border_title, self.border_subtitle = "Probes", ""
            self.update(plain(self._why_empty, style=FAINT), layout=False)
            return
        index = self._index
        now = self._probes[index]
        self.border_title = f"{'Ranks' if self._is_curve else 'Probes'} @{now.step:,}"
        self.border_subtitle = Content(self._places(index))
        has_scrubber = len(self._probes) > 1 and height >= _SCRUBBER_FROM
        room = height - has_scrubber
        if self._is_curve:
            lines = self._curves(index, width, room)
        else:
            before = self._probes[index - 1] if index else None
            past, _ = spread(self._probes, index)
            lines = fit_probes(now.probes, before, width, room, past)
            if room - len(lines) > _CURVE_FROM and any(probe.expected for probe in now.probes):
                lines.append(Content(""))
                lines += self._curves(index, width, min(_CURVE_MOST, room - len(lines)))
        if has_scrubber:
            lines += [Content("")] * (room - len(lines))
            lines.append(scrubber([probed.step for probed in self._probes], index, width))
        self.update(Content("\n").join(lines), layout=False)

    def _curves(self, index: int, width: int, height: int) -> list[Content]:
        ranks = ranks_of(*spread(self._probes, index))
        steps = self._probes[0].step, self._probes[-1].step
        return rank_lines(ranks, self._probes[index].step, steps, width, height, only_ascii=draws_ascii(self.app))

    def _places(self, index: int) -> str:
        if len(self._probes) < 2:
            return ""
        earlier = f"◀ {self._probes[index - 1].step:,}" if index else "◀"
        later = f"{self._probes[index + 1].step:,} ▶" if index + 1 < len(self._probes) else "newest"
        has_words = any(probe.expected for probe in self._probes[index].probes)
        turn = f" · w {'words' if self._is_curve else 'ranks'}" if has_words or self._is_curve else ""
        return f"{earlier} · {later}{turn}"


def spread(probes: tuple[Probed, ...], index: int) -> tuple[tuple[Probed, ...], int]:
    """As many of them as a picture has columns, from end to end, with that one, and which it is among them."""
    every = -(-len(probes) // _MOST_DRAWN)
    picked = sorted({*range(0, len(probes), every), index, len(probes) - 1})
    return tuple(probes[place] for place in picked), picked.index(index)


def scrubber(steps: list[int], index: int, width: int) -> Content:
    """All probings as dots along the steps, with the one that is shown, and which of how many it is."""
    tail = f"  {index + 1:,} of {len(steps):,}"
    room = max(2, width - len(tail))
    first, length = steps[0], max(1, steps[-1] - steps[0])  # a fork's first step is far from 0
    places = [min(room - 1, (step - first) * (room - 1) // length) for step in steps]
    cells = ["·"] * room
    for place in places:
        cells[place] = "•"
    at = places[index]
    return Content.assemble(
        ("".join(cells[:at]), FAINT), ("●", "$text-accent bold"), ("".join(cells[at + 1 :]), FAINT), (tail, FAINT)
    )
