"""What holds of a run: the lock before the state file, the outcome before silence, and never an exception."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presets.schema import RunConfig
from runs import launch
from runs.folder import Attempt, RunFolder, create_run
from runs.lock import RunBusy, held_lock, is_locked, take_lock
from runs.processes import TAG_VARIABLE, this_process
from runs.records import RecordWriter
from runs.status import FOLDER_GONE, Outcome, State, StateRecord, read_status, tag_prefix


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


@pytest.fixture
def attempt(folder: RunFolder) -> Attempt:
    attempt = folder.attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    return attempt


@pytest.fixture
def locked(folder: RunFolder) -> Iterator[None]:
    with held_lock(folder):
        yield


def write_state(folder: RunFolder, state: State, **changes: object) -> None:
    record = StateRecord(state, 1, f"{tag_prefix(folder)}nobody", this_process(), since=100.0)
    record = msgspec.structs.replace(record, **changes)
    folder.state_file.write_bytes(msgspec.json.encode(record))


def write_outcome(attempt: Attempt, **changes: object) -> Outcome:
    outcome = Outcome("finished", "all steps made", 10, 10, ended=200.0)
    outcome = msgspec.structs.replace(outcome, **changes)
    attempt.outcome_file.write_bytes(msgspec.json.encode(outcome))
    return outcome


def test_a_run_that_was_never_started_is_stopped_and_says_so(folder: RunFolder) -> None:
    status = read_status(folder)
    assert (status.state, status.attempt, status.reason) == ("stopped", 0, "not started yet")
    assert not status.is_live


@pytest.mark.parametrize("state", ["starting", "running", "stopping"])
def test_a_held_lock_makes_the_state_file_true(
    folder: RunFolder, attempt: Attempt, locked: None, state: State
) -> None:
    write_state(folder, state, message="so it is", deadline=7.0)
    status = read_status(folder)
    assert (status.state, status.supervised, status.reason, status.deadline) == (state, True, "so it is", 7.0)


def test_a_state_file_without_a_lock_is_only_a_hint(folder: RunFolder, attempt: Attempt) -> None:
    write_state(folder, "running")
    status = read_status(folder)
    assert status.state == "failed"
    assert "disappeared without a word" in status.reason


def test_a_supervisor_that_has_written_nothing_yet_is_starting(
    folder: RunFolder, attempt: Attempt, locked: None
) -> None:
    assert read_status(folder).state == "starting"
    gone = msgspec.structs.replace(this_process(), start_ticks=1)
    write_state(folder, "stopped", supervisor=gone)
    assert read_status(folder).state == "starting"


def test_the_newest_attempt_decides(folder: RunFolder, attempt: Attempt) -> None:
    write_outcome(attempt)
    assert read_status(folder).state == "finished"
    second = folder.attempt(2)
    second.path.mkdir()
    assert read_status(folder).state == "failed"
    outcome = write_outcome(second, state="stopped", reason="as asked")
    status = read_status(folder)
    assert (status.state, status.reason, status.attempt, status.outcome) == ("stopped", "as asked", 2, outcome)


def test_a_run_of_another_machine_is_lost_not_failed(folder: RunFolder, attempt: Attempt) -> None:
    write_state(folder, "running", supervisor=msgspec.structs.replace(this_process(), host="gpu-box"))
    status = read_status(folder)
    assert status.state == "lost" and "gpu-box" in status.reason


def test_silence_is_measured_against_how_often_the_run_records(
    folder: RunFolder, attempt: Attempt, locked: None
) -> None:
    write_state(folder, "running")
    writer = RecordWriter(attempt.metrics_file)
    for number in range(5):
        writer.write({"step": number, "time": 1000.0 + 20 * number})
    writer.close()

    def silent_for(seconds: float) -> State:
        then = time.time() - seconds
        for path in (attempt.path, attempt.metrics_file):
            os.utime(path, (then, then))
        return read_status(folder).state

    assert silent_for(29) == "running"
    assert silent_for(95) == "running"  # less than five of its 20 s
    assert silent_for(105) == "stalled"


def test_readers_do_not_disturb_each_other_nor_a_starting_supervisor(folder: RunFolder) -> None:
    assert not is_locked(folder)
    first = take_lock(folder)
    assert first is not None
    assert is_locked(folder) and is_locked(folder)
    assert take_lock(folder, wait_s=0.05) is None
    os.close(first)
    assert not is_locked(folder)
    assert not is_locked(RunFolder(folder.path / "nowhere"))


NAMES = ("state.json", "lock", "attempts/0001/outcome.json", "attempts/0001/metrics.jsonl", "about.json")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(NAMES), content=st.binary(max_size=60) | st.just(b"[" * 50_000) | st.just(b"{}"))
def test_a_damaged_folder_has_a_status_all_the_same(folder: RunFolder, name: str, content: bytes) -> None:
    folder.attempt(1).path.mkdir(parents=True, exist_ok=True)
    (folder.path / name).write_bytes(content)
    assert read_status(folder).state in ("failed", "stopped", "finished")


@pytest.mark.parametrize("name", ["state.json", "lock", "attempts/0001/outcome.json"])
def test_links_pipes_and_folders_in_the_place_of_files_do_no_harm(
    folder: RunFolder, attempt: Attempt, tmp_path: Path, name: str
) -> None:
    target = folder.path / name
    target.mkdir()
    assert read_status(folder).state == "failed"
    target.rmdir()
    os.mkfifo(target)  # opening one for reading usually waits for a writer
    assert read_status(folder).state == "failed"
    target.unlink()
    outside = tmp_path / "outside.json"
    outside.write_bytes(msgspec.json.encode(Outcome("finished", "not ours", 1, 1)))
    target.symlink_to(outside)
    assert read_status(folder).state == "failed"


def test_a_run_that_is_gone_has_a_status_too(folder: RunFolder) -> None:
    status = read_status(RunFolder(folder.path / "gone"))
    assert (status.state, status.reason) == ("lost", FOLDER_GONE)


def test_an_engine_that_ends_while_one_looks_has_not_disappeared(
    folder: RunFolder, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a supervisor it is the engine itself that says its outcome, and then it is gone."""
    write_state(folder, "running")

    def ends_now(*_: object) -> tuple[()]:
        write_outcome(attempt)
        return ()

    monkeypatch.setattr("runs.status.engine_processes", ends_now)
    assert read_status(folder).state == "finished"


def test_an_engine_whose_tag_could_not_be_noted_is_found_all_the_same(folder: RunFolder, attempt: Attempt) -> None:
    """On a full disk `state.json` is still as it was before the engine had a tag."""
    write_state(folder, "starting", tag="", supervisor=msgspec.structs.replace(this_process(), start_ticks=1))
    code = "import time; print(flush=True); time.sleep(600)"
    engine = subprocess.Popen(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, TAG_VARIABLE: f"{tag_prefix(folder)}1.abc"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert engine.stdout is not None and engine.stdout.readline()
        status = read_status(folder)
        assert (status.state, status.supervised) == ("running", False)
        with pytest.raises(RunBusy, match=f"still alive \\(pid {engine.pid}\\)"):
            launch.refuse_live(folder)
        launch.kill(folder)
        assert engine.wait(10) == -signal.SIGKILL and read_status(folder).state == "stopped"
    finally:
        engine.kill()
        engine.communicate()
