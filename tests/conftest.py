"""What every test gets: folders of its own, no network, and a look for processes that it left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from tests.fakes.hub import LoopbackHub

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# what a CI sets and people do not have: programs that buffer end in other ways than those that do not
os.environ.pop("PYTHONUNBUFFERED", None)

_PATIENCE_S = 5.0
T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout_s: float = 30.0, what: str = "") -> T:
    """Poll until the condition holds and return its value; fail the test when it never does."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"after {timeout_s:g} s it still does not hold: {what or condition}")


def pids_with(variable: str, value: str) -> list[int]:
    """Processes, except this one, that were started with that variable in their environment."""
    wanted = f"{variable}={value}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Send everything a test writes under tmp_path; fail the test when processes of it are still there."""
    home = tmp_path / "home"
    folders = {
        "TINYTRAIN_RUNS": "runs",
        "TINYTRAIN_CACHE": "cache",
        "TINYTRAIN_PRESETS": "presets",
        "HF_HOME": "huggingface",
        "XDG_DATA_HOME": "data",
        "XDG_CACHE_HOME": "xdg-cache",
        "XDG_CONFIG_HOME": "config",
        "XDG_STATE_HOME": "state",
    }
    for variable, name in folders.items():
        monkeypatch.setenv(variable, str(home / name))
    for variable in ("HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("TINYTRAIN_CONFIG", "TINYTRAIN_WEBHOOK", "TINYTRAIN_LOW_BANDWIDTH", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody answers
    if "datasets" in sys.modules:  # an earlier test imported it, and it looked at that test's folders then
        from tests.fakes.hub import use_own_caches

        use_own_caches(monkeypatch)
    yield
    runs = str(home / "runs")
    deadline = time.monotonic() + _PATIENCE_S
    while (left := pids_with("TINYTRAIN_RUNS", runs)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if left:
        told = [f"{pid}: {_command(pid)}" for pid in left]
        while left := pids_with("TINYTRAIN_RUNS", runs):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
        pytest.fail(f"the test left processes behind: {told}")


@pytest.fixture
def runs_path(isolated: None) -> Path:
    """The folder of this test's runs."""
    path = Path(os.environ["TINYTRAIN_RUNS"])
    path.mkdir(parents=True, mode=0o700)
    return path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, isolated: None) -> Iterator[LoopbackHub]:
    """A Hugging Face hub on 127.0.0.1 without datasets; this process and its children ask it."""
    from tests.fakes.hub import serving  # brings pyarrow, which most tests need not pay for

    with serving(monkeypatch) as server:
        yield server


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "(gone)"
