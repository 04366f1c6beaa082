"""What a request does to a run that trains: decided alike on every process, and said in a sentence."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch

from engine.checkpoints import TrainState
from engine.distributed import World
from engine.live_control import Asked, Change, Refusal, Task, apply, current_rate, gather
from engine.optim import learning_rate
from engine.stopping import StopRequested, StopSignal
from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs import control
from runs.control import Request, Verb
from runs.folder import RunFolder, create_run
from runs.launch import child_environment

CONFIG = with_values(RunConfig(), {"optim.lr": 1e-2, "optim.warmup_ratio": 0.1, "probes.texts": ("a [MASK]",)})
ALONE = World(0, 1, torch.device("cpu"))


def wish(verb: Verb, value: str = "") -> Request:
    return Request(id="1", verb=verb, time=0.0, value=value)


def changed(verb: Verb, value: str, step: int = 50, total: int = 100, factor: float = 1.0) -> Change:
    change = apply(wish(verb, value), TrainState(step=step, lr_factor=factor), CONFIG, total)
    assert isinstance(change, Change), change
    return change


def refused(verb: Verb, value: str = "", step: int = 50, total: int = 100, factor: float = 1.0) -> str:
    refusal = apply(wish(verb, value), TrainState(step=step, lr_factor=factor), CONFIG, total)
    assert isinstance(refusal, Refusal), refusal
    return refusal.message


def test_an_absolute_rate_holds_at_this_step_and_the_schedule_goes_on_in_proportion() -> None:
    change = changed("lr", "3e-4")
    state = TrainState(step=50, lr_factor=change.lr_factor)
    assert current_rate(state, CONFIG, 100) == pytest.approx(3e-4, rel=1e-12)
    later = msgspec.structs.replace(state, step=75)
    halfway = learning_rate(CONFIG.optim, 75, 100) / learning_rate(CONFIG.optim, 50, 100)
    assert current_rate(later, CONFIG, 100) == pytest.approx(3e-4 * halfway, rel=1e-12)
    assert change.total_steps == 0, "as configured, as before"
    assert change.message.startswith("learning rate 0.0003 from step 51 on, before 0.00556")


def test_a_factor_multiplies_what_was_changed_before() -> None:
    assert changed("lr", "x0.5").lr_factor == 0.5
    assert changed("lr", "x0.5", factor=0.5).lr_factor == 0.25
    assert changed("lr", "5e-3", factor=7.0).lr_factor == changed("lr", "5e-3").lr_factor


def test_a_rate_during_warm_up_says_how_far_it_will_rise() -> None:
    change = changed("lr", "x2", step=4)
    assert change.message == "learning rate 0.01 from step 5 on, before 0.005; warm-up goes on, to 0.02"


def test_a_rate_that_would_rise_above_the_limit_is_refused() -> None:
    assert "rise to 5, above the limit 1" in refused("lr", "0.5", step=0)
    assert "above the limit 1" in refused("lr", "x500")
    assert isinstance(changed("lr", "x50"), Change)


def test_no_factor_makes_a_rate_of_a_schedule_that_is_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.live_control.learning_rate", lambda *_: 0.0)
    assert "the schedule is at 0" in refused("lr", "1e-3")


def test_more_steps_stretch_the_schedule_and_say_so() -> None:
    change = changed("steps", "+100")
    assert change.total_steps == 200 and change.lr_factor == 1.0
    rates = [learning_rate(CONFIG.optim, 50, total) for total in (100, 200)]
    assert change.message == (
        "the run ends at step 200, before 100; its schedule spans the new length, so the learning rate goes "
        f"from {rates[0]:.3g} to {rates[1]:.3g}"
    )
    assert changed("steps", "200") == change
    assert changed("steps", "-20").total_steps == 80
    assert changed("steps", "100").message == "the run ends at step 100, as before"


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_more_steps_are_refused_where_the_rate_that_was_asked_for_would_rise_above_the_limit(
    schedule: str,
) -> None:
    config = with_values(CONFIG, {"optim.lr": 1e-3, "optim.schedule": schedule, "optim.final_lr_ratio": 0.0})
    near_the_end = TrainState(step=999)
    raised = apply(wish("lr", "5e-2"), near_the_end, config, 1000)
    assert isinstance(raised, Change) and raised.lr_factor > 40
    state = msgspec.structs.replace(near_the_end, lr_factor=raised.lr_factor)
    refusal = apply(wish("steps", "+1000000"), state, config, 1000)
    assert isinstance(refusal, Refusal), refusal
    assert "1,001,000 steps" in refusal.message and "above the limit 1; lower it first" in refusal.message
    assert isinstance(apply(wish("steps", "+1000000"), near_the_end, config, 1000), Change)


def test_a_longer_run_whose_warm_up_is_longer_too_says_how_far_the_rate_rises() -> None:
    change = changed("steps", "1000")
    assert change.message.endswith("the learning rate goes from 0.00556 to 0.0051; warm-up goes on, to 0.01")
    assert "warm-up" not in changed("steps", "200").message


def test_what_else_goes_by_the_length_of_the_run_is_said_where_it_is_configured() -> None:
    changes: dict[str, Value] = {
        "data.sequence_length": 64, "curriculum.start_length": 16, "curriculum.length_share": 1.0,
        "objective.mask_rate": 0.1, "objective.mask_rate_end": 0.3,
    }  # fmt: skip
    config = with_values(CONFIG, changes)
    longer = apply(wish("steps", "200"), TrainState(step=50), config, 100)
    assert isinstance(longer, Change)
    assert longer.message.endswith(
        "; sequences go back from 40 to 24 tokens; the mask rate goes back from 0.2 to 0.15"
    )
    shorter = apply(wish("steps", "-20"), TrainState(step=50), config, 100)
    assert isinstance(shorter, Change) and "go on from 40 to 40" not in shorter.message
    assert shorter.message.endswith("; the mask rate goes on from 0.2 to 0.225")
    assert "tokens" not in changed("steps", "200").message and "mask" not in changed("steps", "200").message


def test_fewer_steps_than_are_done_end_the_run_at_once() -> None:
    for value in ("20", "-80", "50"):
        change = changed("steps", value)
        assert change.total_steps == 50
        assert change.message == "50 steps are done already, so the run ends now"
    assert changed("steps", "-100", step=0).total_steps == 1


def test_more_steps_than_a_run_may_have_are_refused() -> None:
    assert refused("steps", "+1000000000") == "steps: 1,000,000,100 is above the limit 1,000,000,000"


@pytest.mark.parametrize(
    ("verb", "value", "words"),
    [("lr", "fast", "neither a rate"), ("lr", "", "neither a rate"), ("lr", "-1e-3", "neither a rate"),
     ("lr", "x0", "not above 0"), ("lr", "nan", "neither"), ("lr", "3", "above the limit 1"),
     ("steps", "many", "neither a number"), ("steps", "0", "stop it"), ("steps", "1.5", "neither a number")],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_a_sentence(verb: Verb, value: str, words: str) -> None:
    assert words in refused(verb, value)


def test_what_is_to_be_done_now_is_a_task_when_it_can_be_done() -> None:
    state = TrainState(step=50)
    for verb in ("evaluate", "checkpoint", "probe", "stop", "pause"):
        assert apply(wish(verb), state, CONFIG, 100) == Task(verb)
    silent = with_values(CONFIG, {"probes.texts": ()})
    assert apply(wish("probe"), state, silent, 100) == Refusal("the run has no probes (probes.texts is empty)")


@pytest.mark.parametrize("verb", ["lr", "steps", "evaluate", "checkpoint", "probe"])
def test_a_run_that_has_made_all_its_steps_changes_no_more(verb: Verb) -> None:
    assert refused(verb, "1e-3", step=100) == "the run has made all its steps"


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """A StopSignal takes the signals of this process; they are given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_of(folder: RunFolder, *, is_main: bool = True) -> StopSignal:
    return StopSignal(folder, is_main)


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


def test_any_request_is_worth_a_look_but_only_stop_and_pause_end_the_run(folder: RunFolder) -> None:
    stop = stop_of(folder)
    assert not stop.poll()
    request = control.ask(folder, "lr", "x0.5")
    assert stop.poll() and not stop.wants_end()
    assert gather(stop, ALONE) == Asked((request,))
    stop.raise_if_asked()
    stop.answer(request)
    assert not stop.poll()
    pause = control.ask(folder, "pause")
    assert gather(stop, ALONE) == Asked((pause,), "paused", "paused on request")
    with pytest.raises(StopRequested, match="paused on request"):
        stop.raise_if_asked()
    assert stop.ending == "paused"


def test_a_kill_is_left_to_the_supervisor(folder: RunFolder) -> None:
    control.ask(folder, "kill")
    stop = stop_of(folder)
    assert not stop.poll() and stop.requests() == ()


def test_stop_wins_over_pause_and_pause_over_a_signal(folder: RunFolder) -> None:
    stop = stop_of(folder)
    stop.reason = "stopped by SIGTERM"
    assert gather(stop, ALONE) == Asked((), "stopped", "stopped by SIGTERM")
    pause = control.ask(folder, "pause")
    assert gather(stop, ALONE) == Asked((pause,), "paused", "paused on request")
    last = control.ask(folder, "stop")
    assert gather(stop, ALONE) == Asked((pause, last), "stopped", "stopped by SIGTERM")
    assert stop.ending == "stopped"
    assert stop.take_requests() == (pause, last) and not control.pending(folder)


def test_a_real_signal_is_remembered_while_it_trains(folder: RunFolder) -> None:
    stop = stop_of(folder, is_main=False)
    os.kill(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + 5
    while not stop.poll() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert gather(stop, ALONE) == Asked((), "stopped", "stopped by SIGTERM")


_TWO_RANKS = """
import json, sys
from pathlib import Path
from engine.distributed import join_world
from engine.live_control import gather
from engine.stopping import StopSignal
from presets.schema import LaunchConfig
from runs import control
from runs.folder import RunFolder

folder = RunFolder(Path(sys.argv[1]))
world = join_world(LaunchConfig(device="cpu"))
stop = StopSignal(folder, world.is_main)
said = []
for verb in ("", "lr", "pause"):
    if world.is_main and verb:
        control.ask(folder, verb, "x0.5" if verb == "lr" else "")
    asked = gather(stop, world)
    said.append([[one.verb for one in asked.requests], asked.ending, asked.reason])
    stop.take_requests()
if not world.is_main:
    stop.reason = "stopped by SIGTERM"  # a signal that reached this process alone
asked = gather(stop, world)
said.append([[one.verb for one in asked.requests], asked.ending, asked.reason])
print(json.dumps(said))
world.close()
"""


def test_all_processes_decide_alike_on_what_the_main_one_read_and_any_was_told(folder: RunFolder) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", _TWO_RANKS, str(folder.path)], text=True, stdout=subprocess.PIPE,
            env=child_environment() | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]  # fmt: skip
    try:
        said = [json.loads(rank.communicate(timeout=120)[0]) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    assert said[0] == said[1]
    assert said[0] == [
        [[], "", ""],
        [["lr"], "", ""],
        [["pause"], "paused", "paused on request"],
        [[], "stopped", "stopped on request of another process"],
    ]


def test_other_ranks_read_no_requests(folder: RunFolder) -> None:
    control.ask(folder, "stop")
    stop = stop_of(folder, is_main=False)
    assert not stop.poll() and stop.requests() == ()
