"""The queue with real supervisors and the fake engine: order, devices, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import fake_engine
import msgspec
import pytest

from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs import launch, queue
from runs.devices import free_now
from runs.folder import RunFolder, create_run, find_run
from runs.launch_record import LaunchRecord
from runs.lock import RunBusy, is_locked
from runs.processes import ProcessIdentity, is_alive, this_host
from runs.queue_entry import owner_of, read_entry, write_entry
from runs.records import RecordTail
from runs.status import read_outcome, read_state, read_status
from runs.trust import remember
from tests.conftest import wait_until
from tui import cli

MakeRun = Callable[..., RunFolder]
FAKES = Path(__file__).parent.parent / "fakes"


@pytest.fixture
def make_run(tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Make a run that takes all cores, so that one runs at a time; its supervisor plays the scenario set now."""
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / "fake")))

    def make(scenario: str = "trains", *, steps: int = 20, **values: Value) -> RunFolder:
        monkeypatch.setenv(fake_engine.SCENARIO, scenario)
        monkeypatch.setenv("FAKE_STEPS", str(steps))
        wanted = {"stop_grace": 1, "device": "cpu", **values}
        config = with_values(RunConfig(), {f"launch.{name}": value for name, value in wanted.items()})
        return create_run(runs_path, config, preset="test")

    return make


def is_over(folder: RunFolder) -> bool:
    return not is_locked(folder) and not read_status(folder).is_live


def supervisor_of(folder: RunFolder) -> ProcessIdentity:
    """The supervisor that is there now, once it has said so."""
    wait_until(lambda: is_locked(folder) and (state := read_state(folder)) and is_alive(state.supervisor))
    state = read_state(folder)
    assert state is not None
    return state.supervisor


def kill_supervisor(folder: RunFolder, number: signal.Signals = signal.SIGKILL) -> int:
    pid = supervisor_of(folder).pid
    os.kill(pid, number)
    wait_until(lambda: not is_locked(folder), what="its supervisor is gone")
    return pid


def runs_now(folder: RunFolder) -> bool:
    return read_status(folder).state == "running"


def times(folder: RunFolder) -> tuple[float, float]:
    """When the only attempt of a run began and ended."""
    assert [attempt.number for attempt in folder.attempts()] == [1]
    outcome = read_outcome(folder.attempt(1))
    assert outcome is not None
    return RecordTail(folder.attempt(1).events_file).poll_all()[0]["time"], outcome.ended


def test_runs_begin_one_after_another_in_their_order_and_a_failure_does_not_stop_the_next(
    make_run: MakeRun,
) -> None:
    first = make_run(steps=10_000)
    queue.enqueue(first)
    failing = make_run("raises")
    queue.enqueue(failing)
    third, fourth, fifth = make_run(), make_run(), make_run()
    for folder in (third, fourth, fifth):
        queue.enqueue(folder)
    wait_until(lambda: runs_now(first), what="the first begins at once")
    waiting = queue.waiting(first.path.parent)
    assert [one.folder for one in waiting] == [failing, third, fourth, fifth]
    name = first.about().name
    wait_until(lambda: name in read_status(failing).reason, what="the first of the queue says what it waits for")
    status = wait_until(lambda: (s := read_status(fifth)).reason == "fourth in the queue" and s, what="a place")
    assert (status.state, status.supervised, status.attempt) == ("queued", True, 0)
    with pytest.raises(RunBusy, match="in the queue already; stop takes it out"):
        launch.start(third)

    queue.move(fifth, "first")
    launch.stop(third)
    assert read_status(third).state == "stopped"
    launch.stop(first)
    for folder in (first, failing, fourth, fifth):
        wait_until(lambda folder=folder: is_over(folder), what="it had its turn")  # type: ignore[misc]
    assert read_status(failing).state == "failed"
    assert [read_status(folder).state for folder in (fourth, fifth)] == ["finished", "finished"]
    assert times(first)[1] <= times(fifth)[0] and times(fifth)[1] <= times(fourth)[0], "never two at once"
    assert third.attempts() == () and queue.waiting(first.path.parent) == ()


def test_a_waiting_run_whose_supervisor_was_killed_is_revived_by_another_that_waits(make_run: MakeRun) -> None:
    first, second, third = (make_run(steps=10_000) for _ in range(3))
    for folder in (first, second, third):
        queue.enqueue(folder)
    wait_until(lambda: runs_now(first))
    killed = kill_supervisor(second)
    assert read_status(second).state == "queued", "its place is still there"
    wait_until(lambda: is_locked(second) and supervisor_of(second).pid != killed, what="it is back")
    assert [one.folder for one in queue.waiting(first.path.parent)] == [second, third]
    launch.kill(first)
    wait_until(lambda: runs_now(second), what="the order still holds")
    for folder in (third, second):
        launch.stop(folder)
    wait_until(lambda: all(map(is_over, (first, second, third))))


def test_when_every_supervisor_was_killed_the_engine_keeps_its_devices_and_the_queue_comes_back(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (make_run(steps=10_000) for _ in range(2))
    queue.enqueue(first)
    queue.enqueue(second)
    wait_until(lambda: runs_now(first))
    runs = first.path.parent
    kill_supervisor(second)
    kill_supervisor(first)
    monkeypatch.setenv("FAKE_STEPS", "20")
    cache = os.environ["TINYTRAIN_CACHE"]
    monkeypatch.setenv("TINYTRAIN_CACHE", "/another/dashboard's")
    assert queue.revive(runs) == 1 and queue.revive(runs) == 0
    name = first.about().name
    wait_until(lambda: name in read_status(second).reason, what="the orphaned engine still has the devices")
    assert read_status(first).state == "running" and len(first.attempts()) == 1
    launch.stop(first)
    wait_until(lambda: is_over(first) and is_over(second), what="the second begins when the engine has ended")
    assert times(first)[1] <= times(second)[0]
    assert read_entry(second) is None
    assert launched(second).environment["TINYTRAIN_CACHE"] == cache, "that of whoever queued it"


def test_a_supervisor_that_is_told_to_end_leaves_the_run_in_the_queue(make_run: MakeRun) -> None:
    """As when the machine shuts down: after it, whoever looks first starts the queue again."""
    first, second = (make_run(steps=10_000) for _ in range(2))
    queue.enqueue(first)
    queue.enqueue(second)
    wait_until(lambda: runs_now(first))
    kill_supervisor(second, signal.SIGTERM)
    kill_supervisor(first, signal.SIGTERM)
    assert read_status(first).state == "stopped"
    time.sleep(0.3)
    status = read_status(second)
    assert (status.state, status.supervised) == ("queued", False), "no run begins while a machine shuts down"
    entry = read_entry(second)
    assert entry is not None
    os.environ["FAKE_STEPS"] = "20"
    assert queue.revive(second.path.parent) == 1
    wait_until(lambda: is_over(second))
    assert read_status(second).state == "finished"


def test_a_run_whose_supervisor_was_shot_while_it_began_is_started_once(make_run: MakeRun) -> None:
    """Before the engine was started, it is started again; afterwards never."""
    unborn, begun = make_run(), make_run()
    launch.start(begun)
    wait_until(lambda: is_over(begun))
    unborn.attempt(1).ranks_dir.mkdir(parents=True)
    unborn.attempt(1).console_file.touch()
    for folder in (unborn, begun):
        write_entry(folder, queue.QueueEntry(1.0, time.time(), this_host(), owner=owner_of(folder)))
        assert read_status(folder).state == "queued"
    assert queue.revive(unborn.path.parent) == 2
    wait_until(lambda: is_over(unborn) and is_over(begun) and not queue.waiting(unborn.path.parent))
    assert [read_status(folder).state for folder in (unborn, begun)] == ["finished", "finished"]
    assert [len(folder.attempts()) for folder in (unborn, begun)] == [1, 1]


def test_a_run_that_cannot_be_started_makes_room_for_the_next(make_run: MakeRun) -> None:
    late, last = make_run(), make_run()
    attempts = late.path / "attempts"
    attempts.rmdir()
    attempts.touch()  # no attempt can be made in a file
    queue.enqueue(late)
    wait_until(lambda: "could not be started" in read_status(late).reason)
    queue.enqueue(last)
    wait_until(lambda: is_over(last), what="it goes before the one that cannot be started")
    attempts.unlink()
    wait_until(lambda: is_over(late), what="it is tried again")
    assert [read_status(folder).state for folder in (last, late)] == ["finished", "finished"]


def test_a_run_whose_settings_are_not_understood_any_more_fails_rather_than_stand_in_the_way(
    make_run: MakeRun,
) -> None:
    folder = make_run()
    write_entry(folder, queue.QueueEntry(1.0, time.time(), this_host(), owner=owner_of(folder)))
    newer = "[optim]\nlr = 'fast'\n"
    folder.config_file.write_text(newer)
    assert queue.revive(folder.path.parent) == 0
    (waiting,) = queue.waiting(folder.path.parent)
    assert "does not know its settings" in waiting.reason
    remember(newer)
    assert queue.revive(folder.path.parent) == 1
    wait_until(lambda: is_over(folder))
    assert read_status(folder).state == "failed"
    assert "optim.lr: 'fast' is not a number" in read_status(folder).reason


def test_a_paused_run_is_resumed_from_the_queue_with_what_was_asked_while_it_waited(make_run: MakeRun) -> None:
    paused, first = make_run(steps=10_000), make_run(steps=10_000)
    launch.start(paused)
    wait_until(lambda: runs_now(paused))
    launch.pause(paused)
    wait_until(lambda: is_over(paused))
    launch.start(first)
    queue.enqueue(paused, resume="last")
    assert read_status(paused).state == "queued"
    launch.ask(paused, "steps", "15")
    launch.kill(first)
    wait_until(lambda: is_over(paused))
    records = RecordTail(paused.attempt(2).events_file).poll_all()
    assert records[0]["resumed_from"] == "last"
    assert (read_status(paused).state, read_status(paused).attempt) == ("finished", 2)
    assert any(record["kind"] == "control_answered" and record["value"] == "15" for record in records)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_run: MakeRun) -> Callable[..., None]:
    """A machine of four GPUs, of which one can say how much memory is used."""
    file = tmp_path / "nvml.json"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(FAKES), os.environ["PYTHONPATH"])))
    monkeypatch.setenv("FAKE_NVML", "8")
    monkeypatch.setenv("FAKE_NVML_FILE", str(file))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")

    def use(*gigabytes: float) -> None:
        used = [int(gb * 1e9) for gb in (*gigabytes, *[0.5] * (8 - len(gigabytes)))]
        file.with_suffix(".new").write_text(json.dumps({"used": used, "processes": []}))
        file.with_suffix(".new").replace(file)

    use()
    return use


def launched(folder: RunFolder) -> LaunchRecord:
    """How the engine of a run was started, once it was."""
    wait_until(folder.launch_file.exists)
    return msgspec.json.decode(folder.launch_file.read_bytes(), type=LaunchRecord)


def shown_gpus(folder: RunFolder) -> str:
    """The GPUs that the engine of a run was shown."""
    return launched(folder).environment["CUDA_VISIBLE_DEVICES"]


def test_runs_on_a_machine_of_several_gpus_get_gpus_of_their_own(
    make_run: MakeRun, gpus: Callable[..., None]
) -> None:
    gpus(0.5, 90)  # somebody else computes on the second
    started = [make_run(steps=100_000, device="auto") for _ in range(2)]
    for folder in started:
        launch.start(folder)
    assert sorted(map(shown_gpus, started)) == ["0", "2"]
    state = read_state(started[0])
    assert state is not None and state.devices == (f"gpu:{shown_gpus(started[0])}",)

    waits = make_run(device="cuda", num_processes=2)
    answer = free_now(waits.config(), waits.path.parent)
    users = [folder.about().name for folder in sorted(started, key=shown_gpus)]
    assert answer.sentence == f"3 of 4 GPUs are used by {users[0]}, another program and {users[1]}"
    assert not answer.is_free
    queue.enqueue(waits)
    wait_until(lambda: read_status(waits).reason == f"waits for 2 GPUs; {answer.sentence}")
    crowded = make_run(device="cuda", num_processes=2)
    launch.start(crowded)
    assert shown_gpus(crowded) == "0,1", "too few are free, and a person wants it now: the first, as ever"
    launch.kill(crowded)

    launch.kill(started[0])
    given = {shown_gpus(started[0]), "3"}
    wait_until(lambda: waits.launch_file.exists(), what="two GPUs are free")
    assert set(shown_gpus(waits).split(",")) == given
    for folder in (started[1], waits):
        launch.kill(folder)
    wait_until(lambda: all(map(is_over, (*started, waits, crowded))))


def test_the_command_line_queues_lists_moves_and_takes_out(
    make_run: MakeRun, runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_run(steps=10_000)
    launch.start(first)

    def tui(*arguments: str, status: int = 0) -> str:
        assert cli.main(arguments) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    said = tui("train", "quickstart", "--queue", "--name", "a", "--set", "launch.device=cpu")
    assert said.splitlines()[1].startswith("next in the queue; it begins by itself")
    queued = json.loads(tui("train", "quickstart", "--queue", "--name", "b", "--json"))
    assert (queued["kind"], queued["place"]) == ("queued", 2)
    table = tui("queue", "move", "b", "first").splitlines()
    assert [row.split()[1] for row in table[1:3]] == ["b", "a"]
    assert "a: second in the queue" in tui("runs").splitlines() and "queued" in tui("show", "a")
    assert tui("stop", "a").splitlines()[0] == "a was taken out of the queue"
    assert [row["name"] for row in json.loads(tui("queue", "--json"))] == ["b"]
    assert "a does not wait in the queue; it is stopped" in tui("queue", "move", "a", "up", status=2)
    assert "say which run" in tui("queue", "move", status=2)
    tui("kill", "b")
    launch.kill(first)
    wait_until(lambda: is_over(first))
    assert find_run(runs_path, "b").attempts() == ()
