"""Single lines of the command line about a run: the engine's answers, and what other machines are to do."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs.events import ControlAnswered, ProbeResult
from runs.folder import create_run, runs_dir
from runs.playground import Answer
from tui.cli import main
from tui.cli_lines import Lines
from tui.cli_train import Interrupts, start_and_follow
from tui.run_words import sentence_of


def answered(message: str, accepted: bool = True) -> ControlAnswered:
    return ControlAnswered(step=2945, request="1", verb="evaluate", accepted=accepted, message=message)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (answered("evaluated at step 2,945: 3.100 nats"), "evaluated at step 2,945: 3.100 nats"),
        (answered("learning rate 0.1 from step 2,946 on"), "step 2,945: learning rate 0.1 from step 2,946 on"),
        (answered("it ends at step 2,945,000"), "step 2,945: it ends at step 2,945,000"),
        (answered("it has no probes", accepted=False), "step 2,945: evaluate was refused: it has no probes"),
    ],
)
def test_an_answer_says_its_step_once(
    event: ControlAnswered, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Lines(as_json=False).show(msgspec.to_builtins(event))
    assert capsys.readouterr().out.strip() == line
    assert sentence_of(event) == line.removeprefix("step 2,945: "), "the list of events has no steps of its own"


@pytest.mark.parametrize(("nodes", "words"), [(2, "1 more machine has joined, with"), (4, "3 more machines have")])
def test_the_other_machines_are_told_where_the_run_is(
    nodes: int, words: str, runs_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.launch.start", lambda *_, **__: None)
    config = with_values(RunConfig(), {"launch.num_nodes": nodes, "launch.rendezvous": "node1:29500"})
    options = argparse.Namespace(json=False, detach=True)

    def told(runs: Path) -> str:
        folder = create_run(runs, config)
        with Interrupts() as interrupts:
            assert start_and_follow(folder, "", options, interrupts) == 0
        return capsys.readouterr().out.splitlines()[-1].replace(folder.id, "ID")

    line = told(runs_path / "shared runs")
    assert line.startswith(f"it begins when {words}")
    assert line.endswith(f"tinytrain-tui --runs-dir '{runs_path}/shared runs' join ID")
    monkeypatch.delenv("TINYTRAIN_RUNS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(runs_path))
    assert told(runs_dir()).endswith("with: tinytrain-tui join ID")


def test_a_long_continuation_is_printed_to_its_end_and_the_checkpoint_after_it(
    capsys: pytest.CaptureFixture[str], runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = ProbeResult("we", (), generated=" the people" * 500 + " end")
    replies = [Answer(probes=(long,), checkpoint="step-00000007")]
    monkeypatch.setattr("tui.cli_probe._ask", lambda requests: replies)
    create_run(runs_path, with_values(RunConfig(), {"objective.kind": "clm"}))
    assert main(["probe", "last", "we"]) == 0
    assert capsys.readouterr().out == f"we{long.generated}\n  (step-00000007)\n"


def test_masks_without_weight_are_refused_before_a_model_is_loaded(
    capsys: pytest.CaptureFixture[str], runs_path: Path
) -> None:
    create_run(runs_path, with_values(RunConfig(), {"objective.kind": "sop", "objective.mlm_weight": 0.0}))
    assert main(["probe", "last", "the [MASK]"]) == 2
    assert "the masks have no weight in this run (objective.mlm_weight)" in capsys.readouterr().err
