"""The probes at one step: tokens for each mask or labels of a text, how they moved, and texts that go on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widgets import Static

from runs.events import Candidate, Probed, ProbeResult
from tui.safe_text import FAINT, plain, safe_text

_BAR_WIDTH = 12
_MOVED = 0.005


class ProbeTable(Static, can_focus=True):
    """Shows the newest probing until a person goes back to an earlier one."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, classes="pane")
        self.border_title = "Probes"
        self._probes: tuple[Probed, ...] = ()
        self._at: int | None = None  # None follows the newest
        self._why_empty = ""

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
            self.border_title = "Probes"
            self.update(plain(self._why_empty, style=FAINT), layout=False)
            return
        index = self._index
        now = self._probes[index]
        before = self._probes[index - 1] if index else None
        self.border_title = f"Probes @{now.step:,}"
        self.border_subtitle = Content(self._places(index))
        lines = fit_probes(now.probes, before, width, height)
        self.update(Content("\n").join(lines), layout=False)

    def _places(self, index: int) -> str:
        if len(self._probes) < 2:
            return ""
        earlier = f"◀ {self._probes[index - 1].step:,}" if index else "◀"
        later = f"{self._probes[index + 1].step:,} ▶" if index + 1 < len(self._probes) else "newest"
        return f"{earlier} · {later}"


def fit_probes(probes: Sequence[ProbeResult], before: Probed | None, width: int, height: int) -> list[Content]:
    """As many candidates for each mask, and lines of each text that goes on, as fit.

    Where not even one does, a sign says how many are missing.
    """
    texts = [_generated(probe, width, height) for probe in probes]
    parts = [len(mask) for probe in probes for mask in probe.masks] + [len(text) for text in texts]
    most = min(max(parts, default=1), height)
    for num in range(most, 0, -1):
        num_lines = len(probes) + sum(min(part, num) for part in parts)
        for spaced in (True, False):
            if num_lines + (len(probes) - 1 if spaced else 0) <= height:
                return _lines(probes, texts, before, width, num, spaced)
    lines = _lines(probes, texts, before, width, 1, False)
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], plain(f"… {len(lines) - height + 1} more lines: z enlarges", style=FAINT)]


def _lines(
    probes: Sequence[ProbeResult],
    texts: Sequence[Sequence[str]],
    before: Probed | None,
    width: int,
    num: int,
    spaced: bool,
) -> list[Content]:
    """At most `num` candidates of a mask and lines of a text. texts: how each goes on, wrapped."""
    earlier = {probe.text: probe for probe in before.probes} if before else {}
    lines: list[Content] = []
    for probe, text in zip(probes, texts, strict=True):
        if spaced and lines:
            lines.append(Content(""))
        unknown = f"  ({probe.num_unknown} unknown)" if probe.num_unknown else ""
        lines.append(plain(_sentence(probe.text, width - len(unknown)) + unknown, style="bold"))
        last = earlier.get(probe.text)
        for number, mask in enumerate(probe.masks):
            old = last.masks[number] if last is not None and number < len(last.masks) else None
            lead = f"{number + 1} " if len(probe.masks) > 1 else "  "
            step = before.step if before else 0
            lines += [_candidate(candidate, old, step, lead, width) for candidate in mask[:num]]
        lines += [plain(line) for line in _first(text, num, width)]
    return lines


def _generated(probe: ProbeResult, width: int, num: int) -> list[str]:
    """How a text goes on, in at most `num` lines; slow, so done once, and cut by `_first`."""
    return textwrap.wrap(
        safe_text(probe.generated, 4000),
        max(width, 12),
        max_lines=num,
        placeholder=" …",
        initial_indent="  →",
        subsequent_indent="  ",
    )


def _first(lines: Sequence[str], num: int, width: int) -> list[str]:
    """The first `num` lines; a `…` stands for the rest."""
    if len(lines) <= num:
        return list(lines)
    last = lines[num - 1]
    while len(last) + 2 > max(width, 12):
        before, _, _ = last.rpartition(" ")
        if not before.strip():
            return [*lines[: num - 1], last[: max(width, 12) - 1] + "…"]
        last = before.rstrip()
    return [*lines[: num - 1], f"{last} …"]


def _sentence(text: str, width: int) -> str:
    """The sentence, cut where its mask is not when it is too long."""
    text = safe_text(text, 400)
    if len(text) <= width:
        return text
    mask = text.find("[MASK]")
    start = max(0, min(mask + 6 + (width - 6) // 2 - width, len(text) - width)) if mask >= 0 else 0
    cut = text[start : start + width]
    if start:
        cut = "…" + cut[1:]
    return cut if start + width >= len(text) else cut[:-1] + "…"


def _candidate(
    candidate: Candidate, old: tuple[Candidate, ...] | None, step: int, lead: str, width: int
) -> Content:
    room = max(6, min(16, (width - 18) // 3))
    word = safe_text(candidate.token, room).ljust(room)
    bar_width = max(4, min(_BAR_WIDTH, width - room - 28))
    length = candidate.probability * bar_width
    bar = ("▇" * round(length) or "▏").ljust(bar_width)
    parts: list[Content | str | tuple[str, str]] = [
        f"{lead}{word} ",
        (bar, "$text-primary"),
        f" {candidate.probability:6.1%}",
    ]
    free = width - len(lead) - room - bar_width - 10
    parts.append((next((f"  {words}" for words in _moved(candidate, old, step) if len(words) <= free), ""), FAINT))
    return Content.assemble(*parts)


def _moved(candidate: Candidate, old: tuple[Candidate, ...] | None, step: int) -> tuple[str, ...]:
    """How it moved since the step before, in a long and in a short form."""
    if old is None:
        return ()
    was = next((one.probability for one in old if one.token == candidate.token), None)
    if was is None:
        return f"▲ new since @{step:,}", "▲ new"
    difference = candidate.probability - was
    if abs(difference) < _MOVED:
        return ()
    sign = "▲" if difference > 0 else "▼"
    return f"{sign} was {was:.1%} @{step:,}", f"{sign} was {was:.1%}"
