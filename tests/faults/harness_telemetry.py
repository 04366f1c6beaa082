"""Promise 13: whatever the GPU driver does, the dashboard stays quick and says which figures are old or missing.

Each driver is played by tests/fakes/pynvml, on a live run in the real dashboard. The quick form watches as long
as the stale sign may take, and has a generous bound for a frame, since other work may share the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runs.folder import RunFolder
from runs.launch import child_environment
from tests.faults.figures import Figure, Scale
from tests.faults.live_app import DRIVER_IN_LOOP, UNTIL, Observation
from tests.run_writer import AttemptWriter, Supervision, new_run

_FAKES = Path(__file__).resolve().parent.parent / "fakes"
_FRAME_S = {"quick": 1.0, "long": 0.05}
_LATE_SHARE = {"quick": 0.005, "long": 0.001}
_STALE_S = {"quick": 8.0, "long": 5.0}
_WATCHED_S = {"quick": 1.5, "long": 20.0}  # and until it shows what it should
_AT_ONCE = {"quick": 5, "long": 1}
_GONE_S = 3.0
_NO_PROCESS = "4194305"  # above the highest pid: as the host's pids are, seen from a container
_STALE = "stale "
_SILENT = "no answer from the driver for "


@dataclass(frozen=True)
class Driver:
    """What the driver does. says, never_says: texts that the pane must show at the end, or never.

    turns_stale: the sign that it no longer answers, empty when it does.
    """

    name: str
    mode: str
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = (" 0%", "0.0 GB", "0 W", "0°C")
    turns_stale: str = ""
    pids: str = ""
    broken: str = ""


DRIVERS = (
    Driver("missing", "none", ("no NVIDIA driver", "cpu "), never_says=("GB run",)),
    Driver("hangs after the first answer", "hang", ("70%",), turns_stale=_STALE),
    Driver("never answers", "silent", turns_stale=_SILENT),
    Driver("MIG, without utilisation", "mig", ("n/a", "38.2/141 GB", "54°C", "412 W")),
    Driver("gives memory alone", "na", ("n/a", "38.2/141 GB")),
    Driver("a GPU is lost in mid-run", "lost", ("✗ the driver has lost this device", "74%")),
    Driver("the host's pids in a container", "1", ("70%",), never_says=("run 0", "run 1"), pids=_NO_PROCESS),
    Driver("ends its process", "crash", ("hardware readings ended", "tried again")),
)
IN_THE_LOOP = Driver("is asked in the event loop and takes 2 s", "hang", broken=DRIVER_IN_LOOP)


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """Watch the dashboard with each driver, and with a build that asks the driver in its event loop."""
    run = new_run(folder / "runs")
    supervision = Supervision(run)
    writer = AttemptWriter(run, clock=time.time())
    writer.start()
    writer.run_to(100)
    supervision.state("running")
    try:
        with ThreadPoolExecutor(_AT_ONCE[scale]) as pool:
            watched = list(pool.map(lambda driver: _watch(run, driver, scale), (*DRIVERS, IN_THE_LOOP)))
        killed = _killed_while_it_hangs(run)
    finally:
        writer.close()
        supervision.close()
    return [*_figures(dict(zip(DRIVERS, watched, strict=False)), watched[-1], scale), killed]


def _figures(watched: dict[Driver, Observation], in_loop: Observation, scale: Scale) -> Iterator[Figure]:
    most_s, share = _FRAME_S[scale], _LATE_SHARE[scale]
    for is_control, seen in ((False, list(watched.values())), (True, [in_loop])):
        frames = sorted(late_s for one in seen for late_s in one.frames)
        late = sum(late_s > most_s for late_s in frames)
        what = f"frames within {1000 * most_s:.0f} ms, of {1 - share:.1%}"
        yield Figure(
            13, f"the driver {IN_THE_LOOP.name}: {what}" if is_control else f"{what}, with {len(seen)} drivers",
            len(frames), max(0, late - int(share * len(frames))), is_control,
            f"p99 {1000 * frames[int(0.99 * len(frames))]:.0f} ms, longest {1000 * frames[-1]:.0f} ms",
        )  # fmt: skip
    stale = [_seconds_to(driver, seen) for driver, seen in watched.items() if driver.turns_stale]
    yield Figure(
        13, f"a driver that does not answer is said to be silent within {_STALE_S[scale]:g} s", len(stale),
        sum(seconds > _STALE_S[scale] for seconds in stale), detail=f"after {max(stale):.1f} s at most",
    )  # fmt: skip
    wrong = [text for driver, seen in watched.items() for text in _wrong(driver, seen)]
    num_texts = sum(len(driver.says) + len(driver.never_says) for driver in watched)
    yield Figure(
        13, "figures that cannot be had are n/a and never 0, and what is wrong is said", num_texts, len(wrong),
        detail="; ".join(wrong),
    )  # fmt: skip
    seen = [*watched.values(), in_loop]
    time.sleep(_GONE_S if any(_is_there(pid) for one in seen for pid in one.helpers) else 0)
    yield Figure(
        13, "dashboards with more than one helper at once, or one that is left", len(seen),
        sum(one.num_helpers > 1 or any(map(_is_there, one.helpers)) for one in seen),
        detail=f"{sum(len(one.helpers) for one in seen)} helpers",
    )  # fmt: skip


def _seconds_to(driver: Driver, seen: Observation) -> float:
    """From the last figures that came, or the start, to the sign that no more come; infinite without it."""
    since = 0.0
    for at_s, text in seen.devices:
        if driver.turns_stale in text:
            return at_s - since
        if "%" in text:
            since = at_s
    return float("inf")


def _wrong(driver: Driver, seen: Observation) -> Iterator[str]:
    """Sentences on what the pane should or should not have shown."""
    last = seen.devices[-1][1] if seen.devices else ""
    for text in driver.says:
        if text not in last:
            yield f"{driver.name}: {text!r} is not shown in {last!r}"
    for text in driver.never_says:
        if any(text in shown for _, shown in seen.devices):
            yield f"{driver.name}: {text!r} is shown"


def _environment(run: RunFolder, driver: Driver) -> dict[str, str]:
    environment = child_environment()
    return environment | {
        "PYTHONPATH": os.pathsep.join((str(_FAKES), environment["PYTHONPATH"])),
        "TINYTRAIN_RUNS": str(run.path.parent),
        "FAKE_NVML": driver.mode,
        "FAKE_NVML_PIDS": driver.pids,
        "FAKE_NVML_HANG_S": "2" if driver.broken else "3600",
        UNTIL: "\n".join((*driver.says, driver.turns_stale)),
    }


def _argv(run: RunFolder, seconds: float, driver: Driver) -> list[str]:
    return [sys.executable, "-m", "tests.faults.live_app", run.id, str(seconds), *driver.broken.split()]


def _watch(run: RunFolder, driver: Driver, scale: Scale) -> Observation:
    seconds = 5.0 if driver.broken and scale == "quick" else _WATCHED_S[scale]
    argv = _argv(run, seconds, driver)
    done = subprocess.run(
        argv, env=_environment(run, driver), stdout=subprocess.PIPE, check=True, timeout=seconds + 120
    )
    seen = msgspec.json.decode(done.stdout, type=Observation)
    assert len(seen.frames) > 1, f"the driver {driver.name}: {len(seen.frames)} frames of a dashboard were seen"
    assert seen.helpers, f"the driver {driver.name}: a helper was there"
    return seen


def _killed_while_it_hangs(run: RunFolder) -> Figure:
    """kill -9 of a dashboard whose helper hangs in the driver."""
    hanging = next(driver for driver in DRIVERS if driver.mode == "silent")
    with subprocess.Popen(
        _argv(run, 600, hanging), env=_environment(run, hanging), stdout=subprocess.DEVNULL
    ) as dashboard:
        deadline = time.monotonic() + 60
        while not (helpers := _helpers_of(dashboard.pid)):
            assert time.monotonic() < deadline and dashboard.poll() is None, "a helper comes"
            time.sleep(0.02)
        dashboard.kill()
    deadline = time.monotonic() + _GONE_S
    while (left := [pid for pid in helpers if _is_there(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return Figure(
        13, f"helpers that outlive a killed dashboard by {_GONE_S:g} s while they hang", len(helpers), len(left)
    )


def _helpers_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"runs.hardware" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
