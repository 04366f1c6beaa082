"""`plan`: what a run would cost, for people and as JSON; nothing is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presets.catalog import find_preset
from presets.config import with_values
from presets.estimate import estimate
from runs.folder import all_runs, create_run
from tests.run_writer import AttemptWriter
from tui.cli import main
from tui.plan import this_machine


def test_a_plan_says_cost_memory_and_the_command(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = find_preset("quickstart").config
    folder = create_run(runs_path, config, name="warm-otter")
    attempt = AttemptWriter(folder)
    attempt.start()
    attempt.metrics.write({"step": 1, "time": 1.0, "elapsed_s": 1.0, "tokens": 1, "memory_peak_bytes": 6e8})
    assert main(["plan", "quickstart", "--set", "optim.lr=0.25"]) == 0
    shown = capsys.readouterr().out
    assert "optim.lr: 0.003 → 0.25" in shown
    assert "600 MB in warm-otter, which has the same shape" in shown
    assert "start it: tinytrain-tui train quickstart --set optim.lr=0.25" in shown
    assert "free on this machine" in shown

    assert main(["plan", "quickstart", "--set", "model.hidden_size=256", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    wide = with_values(config, {"model.hidden_size": 256})
    expected = estimate(wide, this_machine(0))
    assert plan["estimate"]["parameters"]["total"] == expected.parameters.total
    assert plan["memory"]["level"] in ("green", "amber", "red") and plan["memory"]["word"]
    assert plan["memory"]["needed_bytes"] > (expected.memory_bytes.value or 0)
    assert plan["past"]["same"] is None and plan["past"]["num"] == 1
    assert plan["command"].endswith("--set model.hidden_size=256")
    assert all_runs(runs_path) == (folder,)


def test_what_is_wrong_with_a_plan_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart", "--set", "model.num_heads=3"]) == 2
    assert "does not divide hidden size 128" in capsys.readouterr().err
    assert main(["plan", "quikstart"]) == 2
    assert "did you mean quickstart" in capsys.readouterr().err
