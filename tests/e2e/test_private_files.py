"""Everything that a run writes is for its owner alone, whatever the umask of whoever starts it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import fake_engine
import pytest
from tiny import new_run, tiny_config, train

from presets.schema import RunConfig
from runs import control, launch
from runs.folder import RunFolder, create_run
from runs.status import read_status
from runs.verdict_file import current_verdict
from tests.conftest import wait_until


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    """Nothing is private by accident."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: RunFolder) -> list[str]:
    """What others than the owner may read, write or enter; asserts that there is something to look at."""
    found: list[str] = []
    paths = [folder.path, *folder.path.rglob("*")]
    assert len(paths) > 10
    for path in paths:
        wanted = 0o700 if path.is_dir() else 0o600
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != wanted:
            found.append(f"{path.relative_to(folder.path)}: {mode:o}")
    return found


def test_what_a_supervisor_and_its_processes_write_is_private(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / "fake")))
    folder = create_run(runs_path, RunConfig())
    launch.start(folder, despite_logout=True)
    wait_until(lambda: read_status(folder).state == "running")
    control.ask(folder, "evaluate")
    launch.stop(folder)
    wait_until(lambda: not read_status(folder).is_live)
    current_verdict(folder)
    assert open_to_others(folder) == []
    assert stat.S_IMODE(Path(os.environ["TINYTRAIN_PRESETS"], ".known").stat().st_mode) == 0o600


def test_what_the_engine_writes_is_private(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config(train__max_steps=5, train__checkpoint_every=5))
    train(folder)
    current_verdict(folder)
    assert (folder.checkpoints_dir / "step-00000005").is_dir()
    assert open_to_others(folder) == []
