"""A real terminal for end-to-end tests: a tmux server of its own, keys in, the screen out."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import wait_until

PATIENCE_S = 90.0
COLUMNS, ROWS = 120, 40


class Terminal:
    """A tmux server of its own, with one window."""

    def __init__(self, folder: Path, columns: int = COLUMNS, rows: int = ROWS) -> None:
        self._size = ["-x", str(columns), "-y", str(rows)]
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]

    def open(self, command: str, folder: Path) -> None:
        """Run a shell command in a new window; what it prints at its end stays to be read."""
        shell = f"{command}; status=$?; echo; echo ended with $status; sleep 600"
        take_copies = [";", "set-option", "-s", "set-clipboard", "on"]  # what programs copy by OSC 52
        self._run("new-session", "-d", *self._size, "-c", str(folder), shell, *take_copies)

    def close(self) -> None:
        """End the server, and wait until it is gone: a new session would meet it dying."""
        asked = subprocess.run([*self._tmux, "display-message", "-p", "#{pid}"], capture_output=True, check=False)
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
        pid = asked.stdout.decode().strip()
        if pid:
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), PATIENCE_S, "the tmux server ends")

    def type(self, *keys: str) -> None:
        """Press named keys, or type texts that begin with `=`."""
        for key in keys:
            self._run("send-keys", *(["-l", key[1:]] if key.startswith("=") else [key]))

    def screen(self) -> str:
        return self._run("capture-pane", "-p").stdout

    def coloured(self) -> str:
        """The screen with the sequences of its colours."""
        return self._run("capture-pane", "-p", "-e").stdout

    def copied(self) -> str:
        """What a program copied last; empty when nothing was."""
        shown = subprocess.run([*self._tmux, "show-buffer"], capture_output=True, text=True, check=False)
        return shown.stdout

    def see(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern stands on the screen."""
        try:
            return wait_until(self._look(pattern), PATIENCE_S)
        except AssertionError:
            raise AssertionError(f"{pattern!r} never came; the screen shows\n{self.screen()}") from None

    def see_no(self, words: str) -> None:
        """Wait until these words are gone."""
        wait_until(lambda: words not in self.screen(), PATIENCE_S, f"{words!r} is gone")

    def settled(self) -> str:
        """The coloured screen, once nothing on it moves any more."""

        def twice() -> str:
            before = self.coloured()
            time.sleep(0.3)
            return before if self.coloured() == before else ""

        return wait_until(twice, PATIENCE_S, "the screen stands still")

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def _look(self, pattern: str) -> Callable[[], re.Match[str] | None]:
        def look() -> re.Match[str] | None:
            time.sleep(0.1)  # each look is a process of its own
            return re.search(pattern, self.screen())

        return look

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, check=True)
