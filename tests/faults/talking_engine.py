"""A stand-in for `python -m engine` whose steps are always the same work, and which prints a megabyte a second."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
import zlib
from pathlib import Path

BYTES_PER_SECOND = 1_000_000
_BLOCK = bytes(1 << 20)
_BLOCKS_PER_STEP = 12
_STEPS_PER_RECORD = 10


def install(directory: Path) -> Path:
    """Write a package `engine` that runs this file into the directory, and return it."""
    package = directory / "engine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    line = f"import runpy; runpy.run_path({str(Path(__file__).resolve())!r}, run_name='__engine__')\n"
    (package / "__main__.py").write_text(line)
    return directory


def main() -> None:
    """Train until SIGTERM: a step includes what it prints, as it does in the real engine."""
    from runs.events import AttemptStarted
    from runs.folder import RunFolder
    from runs.records import RecordWriter

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    attempt = RunFolder(Path(sys.argv[1])).attempt(int(sys.argv[sys.argv.index("--attempt") + 1]))
    metrics, events = RecordWriter(attempt.metrics_file), RecordWriter(attempt.events_file)
    events.write(
        AttemptStarted(
            step=0, dataset="none", device="cpu", precision="fp32", num_processes=1, num_parameters=1,
            total_steps=1_000_000, vocab_size=2, train_rows=1, validation_rows=1, train_tokens=1,
            tokens_per_step=1, unknown_rate=0.0, resumed_from="", time=time.time(),
        )
    )  # fmt: skip
    began = time.perf_counter()
    line = b"a line of the log that somebody may read or not " + b"." * 50 + b"\n"
    step, num_bytes, seconds, recording_s = 0, 0, list[float](), 0.0
    while True:
        started = time.perf_counter()
        for _ in range(_BLOCKS_PER_STEP):
            zlib.crc32(_BLOCK)
        while num_bytes < BYTES_PER_SECOND * (time.perf_counter() - began):
            num_bytes += os.write(1, line * 10)
        step += 1
        seconds.append(time.perf_counter() - started)
        if step % _STEPS_PER_RECORD == 0:
            started = time.perf_counter()
            metrics.write(
                {
                    "step": step, "time": time.time(), "elapsed_s": time.perf_counter() - began, "tokens": step,
                    "loss": 5.0, "step_time_s": statistics.median(seconds), "recording_s": recording_s,
                }
            )  # fmt: skip
            recording_s += time.perf_counter() - started
            seconds.clear()


if __name__ == "__engine__":
    main()
