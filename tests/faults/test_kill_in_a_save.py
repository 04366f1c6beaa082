"""`kill -9` in the middle of a save: the run goes on from the checkpoint before, as if it had never stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.checkpoints import CheckpointStore
from presets.fields import Value
from runs.folder import RunFolder
from runs.launch import child_environment
from runs.records import RecordTail
from tests.conftest import wait_until
from tests.golden.recipes import one_thread
from tests.tiny import new_run, tiny_config, train

# Trains, and stands still in the save of step 8: argument 2 is the function in engine.checkpoints that is not left
# any more, argument 3 which of its calls in that save.
_STANDS_STILL_IN_A_SAVE = """
import sys, time
from pathlib import Path
import torch
from engine import checkpoints
from runs.folder import RunFolder
from tests.tiny import train

torch.set_num_threads(1)
folder, place, wanted = RunFolder(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
real = getattr(checkpoints, place)
num_calls = 0

def standing_still(*arguments, **named):
    global num_calls
    if (folder.checkpoints_dir / "step-00000008.building").exists():
        num_calls += 1
        if num_calls == wanted:
            (folder.cache_dir / "in-the-save").touch()
            time.sleep(600)
    return real(*arguments, **named)

setattr(checkpoints, place, standing_still)
train(folder)
"""


def losses(folder: RunFolder, *attempts: int) -> dict[int, dict[str, float]]:
    """Recorded losses by step; where attempts recorded the same step, those of the last one."""
    found: dict[int, dict[str, float]] = {}
    for number in attempts:
        for record in RecordTail(folder.attempt(number).metrics_file).poll_all():
            here: dict[str, float] = {
                name: record[name] for name in ("loss", "val_loss", "grad_norm") if name in record
            }
            found.setdefault(record["step"], {}).update(here)
    return found


def kill_in_a_save(folder: RunFolder, place: str, call: int) -> None:
    """Start a process that trains, and end it with SIGKILL inside the save of step 8."""
    engine = subprocess.Popen(
        [sys.executable, "-c", _STANDS_STILL_IN_A_SAVE, str(folder.path), place, str(call)],
        env={**child_environment(), "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        marker = folder.cache_dir / "in-the-save"
        wait_until(lambda: marker.exists() or engine.poll() is not None, 60, "it comes to the save")
        assert engine.poll() is None, "it ended before the kill"
    finally:
        engine.kill()
        engine.wait()
    assert engine.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("kind", "place", "call", "there"),
    [
        ("mlm", "_contiguous", 2, ["model.safetensors"]),
        ("clm", "write_manifest", 1,
         ["config.toml", "model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json"]),
    ],
)  # fmt: skip
def test_a_run_that_was_killed_in_a_save_is_the_run_that_never_stopped(
    runs_path: Path, kind: str, place: str, call: int, there: list[str]
) -> None:
    changes: dict[str, Value] = {
        "objective__kind": kind, "model__dropout": 0.1, "train__max_steps": 12, "train__log_every": 3,
        "train__eval_every": 4, "train__checkpoint_every": 4, "probes__texts": (),
    }  # fmt: skip
    config = tiny_config(**changes)
    broken, straight = new_run(runs_path, config), new_run(runs_path, config)
    kill_in_a_save(broken, place, call)
    half_made = broken.checkpoints_dir / "step-00000008.building"
    assert sorted(path.name for path in half_made.iterdir()) == there, "the kill came between two files"
    assert CheckpointStore(broken.checkpoints_dir).resolve("last") == "step-00000004"

    with one_thread():
        resumed, outcome = train(broken, resume="last")
        never_stopped, _ = train(straight)
    assert (outcome.state, outcome.step) == ("finished", 12)
    expected = losses(straight, 1)
    assert losses(broken, 1, 2) == expected
    before = losses(broken, 1)
    assert max(before) == 8 and before == {step: expected[step] for step in before}
    assert min(losses(broken, 2)) == 6, "it went on inside a window of losses"
    weights = never_stopped.run.model.state_dict()
    for name, tensor in resumed.run.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    saved = [CheckpointStore(folder.checkpoints_dir).load("last")[0] for folder in (broken, straight)]
    assert saved[0].state == saved[1].state
    assert all(torch.equal(tensor, saved[1].optimizer[name]) for name, tensor in saved[0].optimizer.items())
    assert not list(broken.checkpoints_dir.glob("*.building")), "nothing half-made is left"
