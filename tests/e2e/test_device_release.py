"""The end of a run on a GPU: its supervisor sees the memory given back, or says that it could not. Fake driver."""

from __future__ import annotations

import json
import os
from pathlib import Path

import fake_engine
import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs import launch
from runs.folder import create_run
from runs.lock import is_locked
from runs.status import read_outcome, read_state, read_status
from tests.conftest import wait_until

FAKES = Path(__file__).parent.parent / "fakes"


def test_a_stop_waits_for_the_device_memory_and_says_what_it_could_not_see(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvml.json"

    def tell(**answers: object) -> None:
        driver.with_suffix(".new").write_text(json.dumps(answers))
        driver.with_suffix(".new").replace(driver)

    monkeypatch.setenv("PYTHONPATH", f"{fake_engine.install(tmp_path / 'fake')}{os.pathsep}{FAKES}")
    monkeypatch.setenv("FAKE_NVML_FILE", str(driver))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("FAKE_START_S", "1.5")  # as torch takes to load, so that the driver is asked before
    tell(used=10**9, processes=[])
    folder = create_run(runs_path, with_values(RunConfig(), {"launch.device": "cuda"}), preset="test")
    launch.start(folder)
    wait_until(lambda: read_status(folder).state == "running", what="running")
    state = read_state(folder)
    assert state is not None and state.devices == ("gpu:0",)
    tell(used=5 * 10**9, processes=[])
    launch.stop(folder)
    wait_until(lambda: "device memory" in read_status(folder).reason, what="it waits for the memory")
    assert read_status(folder).is_live
    tell(broken=True)
    wait_until(lambda: not is_locked(folder), what="the supervisor ends")
    outcome = read_outcome(folder.attempt(1))
    assert outcome is not None and outcome.state == "stopped"
    sentence = "whether the GPU memory is free could not be checked: the NVIDIA driver does not answer"
    assert outcome.left.startswith(sentence)
    assert outcome.reason == f"as asked; {outcome.left}"
