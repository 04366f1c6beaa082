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
        shell = f"{command}; echo; echo ended with $?; sleep 600"
        self._run("new-session", "-d", *self._size, "-c", str(folder), shell)

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

    def see(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern stands on the screen."""
        try:
            return wait_until(self._look(pattern), PATIENCE_S)
        except AssertionError:
            raise AssertionError(f"{pattern!r} never came; the screen shows\n{self.screen()}") from None

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
