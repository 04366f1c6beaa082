"""What the dashboard sends to a real terminal: nothing when nothing changes, little when a run is live."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.run_writer import finished_run

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "import sys; from pathlib import Path; from tui.app import TinyTrainApp; TinyTrainApp(Path(sys.argv[1])).run()"
)


@contextlib.contextmanager
def dashboard(runs: Path) -> Iterator[pexpect.spawn]:
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
    arguments = ["-c", PROGRAM, str(runs)]
    child = pexpect.spawn(sys.executable, arguments, env=environment, dimensions=(40, 120), cwd=str(runs))
    try:
        yield child
        child.send("q")
        child.expect(pexpect.EOF, timeout=15)
    finally:
        child.close(force=True)


def bytes_within(child: pexpect.spawn, seconds: float) -> int:
    deadline, count = time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(pexpect.TIMEOUT):
            count += len(child.read_nonblocking(1 << 16, timeout=min(left, 0.2)))
    return count


def settle(child: pexpect.spawn, timeout: float = 30) -> None:
    """Wait for a second without a byte."""
    deadline = time.monotonic() + timeout
    while bytes_within(child, 1.0):
        assert time.monotonic() < deadline, "it never came to rest"


@pytest.mark.slow
@pytest.mark.parametrize("screen", ["2", "3"])
def test_an_ended_run_sends_no_byte(tmp_path: Path, screen: str) -> None:
    finished_run(tmp_path, steps=400)
    with dashboard(tmp_path) as child:
        child.expect("Launch", timeout=30)
        child.send(screen)
        child.expect("warm-otter", timeout=30)
        settle(child)
        assert bytes_within(child, 5.0) == 0


@pytest.mark.slow
def test_a_live_run_stays_under_thirty_kilobytes_a_second(tmp_path: Path) -> None:
    writer = [
        sys.executable,
        str(ROOT / "tests" / "run_writer.py"),
        str(tmp_path),
        "--steps",
        "100000",
        "--rate",
        "60",
    ]
    with subprocess.Popen(writer, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        try:
            while not list(tmp_path.glob("*/attempts/0001/metrics.jsonl")):
                assert process.poll() is None
            with dashboard(tmp_path) as child:
                child.expect("running", timeout=30)
                bytes_within(child, 4.0)
                assert 0 < bytes_within(child, 8.0) / 8 < 30_000
        finally:
            process.kill()
