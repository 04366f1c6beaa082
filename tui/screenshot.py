"""Pictures of the dashboard: what is shown, as SVG, in a file that nothing else has."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from textual.app import App

from tui.remembered import remembered_path

_MOST_OF_A_SECOND = 100


def save_screenshot(app: App[Any], screen: str) -> Path:
    """Write what is shown into the current folder, or beside the dashboard's state when that is closed to us.

    Returns the file. Raises OSError when neither can be written.
    """
    picture = app.export_screenshot(title=f"tinytrain-tui · {screen}").encode()
    name = f"tinytrain-{screen}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        return _write(Path.cwd(), name, picture)
    except OSError:
        folder = remembered_path().parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _write(folder, name, picture)


def _write(folder: Path, name: str, picture: bytes) -> Path:
    for number in range(_MOST_OF_A_SECOND):
        path = folder / (f"{name}-{number}.svg" if number else f"{name}.svg")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(picture)
        return path
    raise FileExistsError(f"{folder} has {_MOST_OF_A_SECOND} screenshots of this second already")
