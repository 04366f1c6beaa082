"""The pane of what the run's machine does: a row for each GPU, and the processor and the memory."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.widgets import Static

from runs.hardware_feed import HardwareState
from tui.safe_text import FAINT, plain
from tui.widgets.device_rows import Row, device_rows, history_words, host_rows, process_rows
from tui.widgets.device_rows import memory_words as memory_words
from tui.widgets.sparkline import draws_ascii

_FEW_ROWS = 4
_WITH_PROCESSES = 66  # cells from which the processes on each device are listed


class DevicePane(Static):
    """Changes only when a figure of it does."""

    HELP = (
        "A row for each GPU: how busy it was in the last minutes and is now, memory, temperature, power, and how "
        "much of the memory this run and others hold; the processor and the machine's own memory where there is "
        "room. z enlarges, and lists the processes on each."
    )

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, classes="pane")
        self.can_focus = True
        self.border_title = "Devices"
        self._state: HardwareState | None = None
        self._run_words = ""
        self._tag_prefix = ""
        self._on_cpu = False
        self._shown: tuple[object, ...] = ()

    def show(self, state: HardwareState | None, run_words: str, tag_prefix: str, *, on_cpu: bool = False) -> None:
        """Take readings. run_words: what the engine says of its memory; tag_prefix: whose memory is the run's.

        on_cpu: the run uses no GPU, so that the processor comes first.
        """
        self._state, self._run_words, self._tag_prefix, self._on_cpu = state, run_words, tag_prefix, on_cpu
        width, height = self.content_size
        if not width or not height:
            return
        rows, title = self._rows(width, height), self._title()
        if len(rows) > height:
            missing = len(rows) - height + 1
            rows = [*rows[: height - 1], ((f"… {missing} more: z enlarges", FAINT),)]
        elif width >= _WITH_PROCESSES and (devices := state.reading.devices if state and state.reading else ()):
            room = height - len(rows) - 2
            held = process_rows(devices, tag_prefix, width, room) if room > 0 else []
            rows += [(("", ""),), (("processes on them", FAINT),), *held] if held else []
        if (rows, title) == self._shown:
            return
        self._shown = (rows, title)
        self.set_class(len(self._rows(width, 0)) > _FEW_ROWS, "-many")
        self.border_title = plain(title, 80)
        self.border_subtitle = plain(history_words(state.history), 20) if state is not None else ""
        lines = [Content.assemble(*(plain(text, style=style) for text, style in row)) for row in rows]
        self.update(Content("\n").join(lines), layout=False)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the rows into the new width."""
        self.show(self._state, self._run_words, self._tag_prefix, on_cpu=self._on_cpu)

    def _title(self) -> str:
        reading = self._state.reading if self._state else None
        title = f"Devices of {reading.host.name}" if reading else "Devices"
        return f"{title} · stale {self._state.stale_s} s" if self._state and self._state.stale_s else title

    def _rows(self, width: int, height: int) -> list[Row]:
        """All there is to say, with the host beside GPUs where it counts or fits into `height` lines."""
        state = self._state
        if state is None or state.reading is None:
            words = state.problem if state and state.problem else ""
            if state and state.stale_s and not words:
                words = f"no answer from the driver for {state.stale_s} s"
            rows: list[Row] = [((words, FAINT),)] if words else []
        else:
            only_ascii = draws_ascii(self.app)
            reading, history = state.reading, state.history
            rows = device_rows(reading.devices, width, self._tag_prefix, history, only_ascii=only_ascii)
            below = next((row for row in rows if len(row) > 2), ())
            host = host_rows(reading, width, history, below=below, only_ascii=only_ascii)
            others = bool(state.problem) + bool(self._run_words)
            if not reading.devices or self._on_cpu:
                rows = host + rows
            elif len(rows) + len(host) + others <= height:
                rows += host
        if state and state.problem and state.reading is not None:
            rows.append(((state.problem, "$text-warning"),))
        if self._run_words:
            rows.append(((self._run_words, FAINT),))
        return rows or [(("waiting for the first reading", FAINT),)]
