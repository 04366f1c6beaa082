"""Two lines above a run: what it is and in which state; how far it is and how well it does."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widgets import Static

from runs.reader import RunSnapshot
from tui.figures import elapsed
from tui.progress_words import pace_words
from tui.run_words import (
    STATE_STYLES,
    bar,
    eta_words,
    rate_words,
    state_words,
    steps_words,
)
from tui.safe_text import FAINT, plain, safe_text

_Part = tuple[str, str]
_GAP = "   "


class RunHeader(Static):
    """Drops what is less important when it is narrow, and changes only when a word of it does."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._snapshot: RunSnapshot | None = None
        self._shown: tuple[tuple[_Part, ...], ...] = ()

    def show(self, snapshot: RunSnapshot) -> None:
        """Take what holds now."""
        self._snapshot = snapshot
        width = self.content_size.width
        if not width:
            return
        lines = (fit_parts(_who(snapshot), width), fit_parts(_how_far(snapshot, width), width))
        if lines != self._shown:
            self._shown = lines
            self.update(Content("\n").join(_line(parts) for parts in lines), layout=False)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the figures into the new width."""
        if self._snapshot is not None:
            self.show(self._snapshot)


def _who(snapshot: RunSnapshot) -> list[_Part]:
    status, about = snapshot.status, snapshot.about
    parts = [(state_words(status), f"bold {STATE_STYLES[status.state]}"), (safe_text(about.name, 60), "bold")]
    if about.preset:
        parts.append((safe_text(about.preset, 40), ""))
    if snapshot.started is not None:
        parts.append((safe_text(snapshot.started.dataset, 60), FAINT))
        devices = f"{snapshot.started.num_processes} × " if snapshot.started.num_processes > 1 else ""
        parts.append((f"{devices}{safe_text(snapshot.started.device, 20)} {snapshot.started.precision}", FAINT))
    if about.note:
        parts.append((safe_text(about.note, 120), f"italic {FAINT}"))
    return parts


def _how_far(snapshot: RunSnapshot, width: int) -> list[_Part]:
    phase = snapshot.phase
    if phase is not None and snapshot.status.is_live:
        parts = [(safe_text(phase.phase, 60), "bold")]
        unit = safe_text(phase.unit, 20)
        if phase.total:
            share = phase.done / phase.total
            parts += [(f"{phase.done:,}/{phase.total:,} {unit}", ""), (f"{bar(share, 20)} {share:4.0%}", "")]
        elif phase.done:
            parts.append((f"{phase.done:,} {unit}", ""))
        parts += [(words, FAINT) for words in pace_words(phase)]
        return parts
    planned = snapshot.config.train.max_steps if snapshot.config is not None else 0
    total = snapshot.total_steps or planned
    steps, share = steps_words(snapshot.step, total), snapshot.step / total if total else 0.0
    is_moving = snapshot.status.state in ("starting", "running", "stalled")
    parts = [(f"reading {snapshot.share_read:4.0%}", "$text-warning")] if snapshot.is_behind else []
    parts.append((f"step {steps} {share:4.0%}" if total else f"step {steps}", ""))
    if num := snapshot.num_skipped:  # before the figures, which it makes doubtful
        parts.append((f"{num:,} damaged record{'' if num == 1 else 's'} left out", "$text-warning"))
    if width >= 90:
        parts.append((bar(share, 24 if width >= 140 else 12), "$text-primary"))
    if is_moving:
        parts.append((eta_words(snapshot), ""))
    elif not snapshot.status.is_live:
        parts.append((f"took {elapsed(snapshot.elapsed_s)}", ""))
    if snapshot.best_loss is not None:
        floor = snapshot.baselines.floor_loss if snapshot.baselines is not None else None
        above = "" if floor is None else f" (floor {floor:.3f})"
        parts.append((f"best {snapshot.best_loss:.3f} nats @ {snapshot.best_step:,}{above}", ""))
    if snapshot.tokens_per_second is not None and (is_moving or not snapshot.status.is_live):
        parts.append((rate_words(snapshot.tokens_per_second), ""))
    return parts


def fit_parts(parts: list[_Part], width: int) -> tuple[_Part, ...]:
    """The first parts that have room, and a sign when some had not; of the first alone what fits."""
    if sum(cell_len(text) for text, _ in parts) + len(_GAP) * (len(parts) - 1) <= width:
        return tuple(parts)
    kept: list[_Part] = []
    free = width - len(_GAP) - 1  # for the sign
    for text, style in parts:
        free -= cell_len(text) + (len(_GAP) if kept else 0)
        if free < 0:
            break
        kept.append((text, style))
    if not kept:
        text, style = parts[0]
        return ((safe_text(text, width), style),)
    return (*kept, ("…", ""))


def _line(parts: tuple[_Part, ...]) -> Content:
    return Content(_GAP).join(plain(text, style=style) for text, style in parts)
