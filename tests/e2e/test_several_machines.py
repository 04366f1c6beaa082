"""Two machines train together: two torchrun agents that meet on the loopback interface of this one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from runs import launch
from runs.events import AttemptStarted, decode_event
from runs.folder import RunFolder
from runs.machines import machine_devices
from runs.processes import this_host
from runs.records import RecordTail
from runs.status import read_status
from tests.conftest import pids_with, wait_until
from tests.tiny import new_run, tiny_config

PATIENCE_S = 240.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    config = tiny_config(
        launch__num_nodes=2, launch__rendezvous=f"127.0.0.1:{free_port()}", train__max_steps=6, train__log_every=2
    )
    return new_run(runs_path, config)


def joining(folder: RunFolder, **environment: str) -> subprocess.Popen[str]:
    """`tinytrain-tui join` in a process of its own, as on another machine."""
    return subprocess.Popen(
        [sys.executable, "-m", "tui", "--runs-dir", str(folder.path.parent), "join", folder.id],
        env={**launch.child_environment(), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_machine_that_joins_trains_its_share_to_the_end(folder: RunFolder) -> None:
    launch.start(folder)
    with joining(folder) as second:
        said = second.communicate(timeout=PATIENCE_S)[0]
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "the run ends")
    status = read_status(folder)
    console = folder.attempts()[-1].console_file.read_text()
    assert status.state == "finished", (status, said, console[-3000:])
    assert second.returncode == 0 and f"{this_host()} joins" in said and "finished at step 6" in said
    events = [decode_event(r) for r in RecordTail(folder.attempts()[-1].events_file).poll_all()]
    started = [event for event in events if isinstance(event, AttemptStarted)]
    assert [event.num_processes for event in started] == [2]
    assert started[0].tokens_per_step == 2 * 8 * 16, "the global batch counts the ranks of both machines"
    (claim,) = machine_devices(folder.attempts()[-1])
    assert claim.devices and all(name.startswith("cpu:") for name in claim.devices), "no other run here gets them"
    logs = list(folder.attempts()[-1].ranks_dir.rglob("stdout.log"))
    assert len(logs) == 2, "each rank has a log of its own"
    wait_until(lambda: not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]), 10, "no process is left")


def test_a_rank_that_fails_on_the_second_machine_is_named_with_it(folder: RunFolder, tmp_path: Path) -> None:
    """The second machine has no token caches: nothing is shared at the path it looks at."""
    launch.start(folder)
    with joining(folder, TINYTRAIN_CACHE=str(tmp_path / "elsewhere")) as second:
        said = second.communicate(timeout=PATIENCE_S)[0]
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "the run ends")
    status = read_status(folder)
    assert status.state == "failed"
    assert status.reason.startswith(f"rank 1 on {this_host()}: "), (status.reason, said)
    assert "elsewhere" in status.reason, "with what it looked for"
    assert second.returncode == 1 and status.reason in said
    wait_until(lambda: not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]), 10, "no process is left")
