"""First paint of the dashboard against a minimal Textual app's: a real pty, in turn; medians and their ratio."""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pyte

from presets.catalog import find_preset
from runs.folder import create_run

TRIALS = 9
LONGEST_S = 30.0
MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("READY")
Minimal().run()
"""


def first_paint(argv: list[str], shown: str, size: tuple[int, int]) -> float:
    """Seconds from exec until a text stands on the screen. size: columns, rows."""
    started = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(argv[0], argv)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    screen = pyte.Screen(*size)
    stream = pyte.ByteStream(screen)
    try:
        while time.perf_counter() - started < LONGEST_S:
            if select.select([terminal], [], [], 0.05)[0]:
                stream.feed(os.read(terminal, 65536))
                if any(shown in line for line in screen.display):
                    return time.perf_counter() - started
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    raise RuntimeError(f"{shown!r} did not appear:\n" + "\n".join(screen.display))


def main() -> None:
    """Measure with an empty runs folder and with 50 runs."""
    for num_runs in (0, 50):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TINYTRAIN_RUNS"] = folder
            config = find_preset("quickstart").config
            for number in range(num_runs):
                create_run(Path(folder), config, name=f"run {number}", preset="quickstart")
            minimal, ours = [], []
            for _ in range(TRIALS):
                minimal.append(first_paint([sys.executable, "-c", MINIMAL], "READY", (120, 40)))
                ours.append(first_paint([sys.executable, "-m", "tui"], "quickstart", (120, 40)))
            low, high = statistics.median(minimal), statistics.median(ours)
            figures = f"minimal app {low:.2f} s, dashboard {high:.2f} s, ratio {high / low:.2f}"
            print(f"first paint, {num_runs} runs: {figures}")


if __name__ == "__main__":
    main()
