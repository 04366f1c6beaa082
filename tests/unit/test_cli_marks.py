"""What the command line says beside a run's state: a full disk, lost steps, another user's run, busy devices."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import msgspec
import pytest

from runs import control
from runs.events import DiskNoticed
from runs.folder import RunFolder
from runs.outcome import Ending, conclude
from runs.processes import this_process
from runs.queue_entry import QueueEntry, write_entry
from runs.status import Outcome, StateRecord, tag_prefix
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tui import cli_train
from tui.cli import main
from tui.cli_control import _wait


def test_a_full_disk_and_a_kill_are_told_in_the_list_and_of_the_run(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full, killed = new_run(runs_path, "full-finch"), new_run(runs_path, "killed-crane")
    supervision = Supervision(full)
    supervision.state("running")
    writer, other = AttemptWriter(full), AttemptWriter(killed)
    for one in (writer, other):
        one.start()
        one.run_to(250)
    writer.say(DiskNoticed(step=250, is_full=True, message="records wait in memory"))
    proof = "no process of it is left"
    conclude(killed, other.attempt, Ending(-9, elapsed_s=60.0, wanted="kill", killed=5.0, proof=proof))
    assert main(["runs"]) == 0
    printed = capsys.readouterr().out
    assert "full-finch: disk full: make room" in printed
    assert "killed-crane: killed; steps 201 to 250 have to be trained again" in printed
    assert main(["show", full.id]) == 0
    assert "\n! disk full" in capsys.readouterr().out
    assert main(["show", killed.id]) == 0
    printed = capsys.readouterr().out
    assert "steps 201 to 250 have to be trained again\n" in printed and f"its end  {proof}" in printed
    for one in (writer, other):
        one.close()
    supervision.close()


@pytest.mark.parametrize(("saved_step", "status"), [(20, 1), (234, 0), (None, 0)])
def test_a_stop_that_could_not_save_is_not_reported_as_done(
    runs_path: Path, capsys: pytest.CaptureFixture[str], saved_step: int | None, status: int
) -> None:
    folder = finished_run(runs_path)
    outcome = Outcome("stopped", "stopped on request", 234, 400, saved_step=saved_step, proof="nothing is left")
    folder.attempt(1).outcome_file.write_bytes(msgspec.json.encode(outcome))
    assert _wait(folder, as_json=False) == status
    assert capsys.readouterr().out.endswith("stopped: stopped on request; nothing is left\n")


def test_a_run_of_another_user_is_marked(
    runs_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_run(runs_path, "warm-otter")
    assert main(["runs"]) == 0 and main(["show", "last"]) == 0
    assert "⊘" not in capsys.readouterr().out
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert main(["runs"]) == 0 and main(["show", "last"]) == 0
    listed, _, shown = capsys.readouterr().out.partition(folder.id)
    assert "⊘ warm-otter" in listed and "⊘ warm-otter" in shown
    assert "it can only be looked at" in shown
    assert main(["show", "last", "--json"]) == 0
    assert "belongs to" in json.loads(capsys.readouterr().out)["read_only"]


def test_a_full_disk_has_room_for_a_request(runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_run(runs_path)

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(control, "write_atomically", full)
    asked = [control.ask(folder, "stop"), control.ask(folder, "kill")]
    with pytest.raises(OSError, match="No space"):
        control.ask(folder, "lr", "x0.5")
    found = control.pending(folder)
    assert {(one.id, one.verb) for one in found} == {(one.id, one.verb) for one in asked}
    for one in found:
        control.answer(folder, one)
    (folder.control_dir / "1.5-nonsense.json").touch()
    assert control.pending(folder) == ()


def claim_all_cores(folder: RunFolder) -> None:
    cores = tuple(f"cpu:{core}" for core in os.sched_getaffinity(0))
    record = StateRecord("running", 1, f"{tag_prefix(folder)}1", this_process(), devices=cores)
    folder.state_file.write_bytes(msgspec.json.encode(record))


def test_a_start_beside_other_runs_is_said(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wants, busy = new_run(runs_path, "wants"), new_run(runs_path, "busy")
    cli_train._say_who_is_there(wants, 0)
    assert capsys.readouterr().err == ""
    supervision = Supervision(busy)
    claim_all_cores(busy)
    cli_train._say_who_is_there(wants, 0)
    said = capsys.readouterr().err
    assert "used by busy" in said and "--queue" in said
    cli_train._say_who_is_there(busy, 0)  # live: the start is refused, and that is enough
    assert capsys.readouterr().err == ""
    supervision.close()


def test_a_run_that_waits_already_is_named_with_its_place(runs_path: Path) -> None:
    from runs import launch, queue
    from runs.processes import this_host
    from runs.queue_entry import owner_of

    folder = new_run(runs_path, "pz")
    entry = QueueEntry(order=1.0, since=1.0, host=this_host(), owner=owner_of(folder))
    write_entry(folder, entry)
    supervision = Supervision(folder, 0)
    supervision.state("queued")
    for start in (launch.start, queue.enqueue):
        with pytest.raises(launch.RunBusy, match=r"^pz is next in the queue already; stop takes it out$"):
            start(folder, despite_logout=True)
    supervision.close()
