"""The command line without a running engine: what it prints, what it refuses, and how fast it is there."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from presets.catalog import shipped_presets
from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import RunFolder, all_runs, create_run
from runs.launch import child_environment
from runs.records import RecordWriter
from runs.status import ErrorReport, Outcome
from tui.cli import main
from tui.cli_reference import checkpoint_name
from tui.figures import elapsed
from tui.verbs import make_parser

HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x9b31m[red]otter[/red]\u202e"


@pytest.fixture
def run(runs_path: Path) -> RunFolder:
    """A run of two attempts: the second goes on from step 20, and fails."""
    folder = create_run(
        runs_path, with_values(RunConfig(), {"optim.lr": 0.003}), name="warm-otter", preset="quickstart"
    )
    for number, start, steps in ((1, 0, (10, 20, 30)), (2, 20, (30, 40))):
        attempt = folder.attempt(number)
        attempt.path.mkdir(parents=True)
        events, metrics = RecordWriter(attempt.events_file), RecordWriter(attempt.metrics_file)
        events.write(
            {
                "kind": "attempt_started", "step": start, "time": 1.0, "dataset": "addresses (embedded)",
                "device": "cpu", "precision": "fp32", "num_processes": 1, "num_parameters": 1234,
                "total_steps": 100, "vocab_size": 99, "train_rows": 10, "validation_rows": 2,
                "train_tokens": 5, "tokens_per_step": 5, "unknown_rate": 0.0,
            }
        )  # fmt: skip
        for step in steps:
            loss = round(5.0 - step / 100 - number, 4)
            metrics.write({"step": step, "time": 1.0, "elapsed_s": float(step), "tokens": 5, "loss": loss})
            metrics.write(
                {"step": step, "time": 1.0, "elapsed_s": float(step), "tokens": 5, "val_loss": loss,
                 "val_accuracy": None}
            )  # fmt: skip
            events.write(
                {"kind": "evaluated", "step": step, "time": 1.0, "loss": loss, "perplexity": 9.0,
                 "accuracy": 0.1, "accuracy_known": 0.1, "is_best": True}
            )  # fmt: skip
        events.close()
        metrics.close()
    first = Outcome("stopped", "as asked", 30, 100, 3.7, 30, 3.7, 30.0, 2.0)
    second = Outcome("failed", "ValueError: no", 40, 100, 2.6, 40, 2.6, 40.0, 3.0)
    report = ErrorReport(0, "ValueError", "no", "Traceback …\nValueError: no", 3.0, 1, hint="ask again")
    folder.attempt(1).outcome_file.write_bytes(msgspec.json.encode(first))
    folder.attempt(2).outcome_file.write_bytes(msgspec.json.encode(second))
    folder.attempt(2).error_file.write_bytes(msgspec.json.encode(report))
    return folder


def test_presets_are_listed_with_where_their_data_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    printed = capsys.readouterr().out
    for preset in shipped_presets():
        assert preset.name in printed
    assert "addresses (embedded)" in printed and "stanfordnlp/imdb (hub)" in printed
    assert main(["presets", "--json"]) == 0
    names = [preset["name"] for preset in json.loads(capsys.readouterr().out)]
    assert names == [preset.name for preset in shipped_presets()]


def test_a_shown_preset_is_toml_that_trains_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    from presets.config import from_toml

    for preset in shipped_presets():
        assert main(["presets", "show", preset.name]) == 0
        assert from_toml(capsys.readouterr().out) == preset.config
    assert main(["presets", "show", "v1-imdb-small"]) == 0
    assert "# published optim.lr = 5e-5, here" in capsys.readouterr().out


def test_runs_are_listed_and_filtered(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(run.path.parent, RunConfig(), name="calm-crane", preset="other")
    assert main(["runs"]) == 0
    printed = capsys.readouterr().out
    assert "warm-otter" in printed and "calm-crane" in printed and "40/100" in printed
    assert main(["runs", "failed OTTER", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["status"]["state"], row["best_loss"]) == ("warm-otter", "failed", 2.6)


def test_no_run_at_all_is_said_on_stderr(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "" and f"no run in {runs_path}" in printed.err


def test_show_names_the_root_cause_and_what_differs(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "warm-otter"]) == 0
    printed = capsys.readouterr().out
    for words in ("failed: ValueError: no", "hint: ask again", "optim.lr: 0.001 → 0.003", "at step 20", "2.6000"):
        assert words in printed
    assert main(["show", "last", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["id"] == run.id and document["config"]["optim"]["lr"] == 0.003
    assert document["error"]["hint"] == "ask again" and document["splices"] == [20]


def test_metrics_leave_out_what_a_resume_repeated(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "last", "--names", "val_loss", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["step"], row["val_loss"]) for row in rows] == [
        ("10", "3.9"), ("20", "3.8"), ("30", "2.7"), ("40", "2.6"),
    ]  # fmt: skip
    assert main(["metrics", "last", "--json", "--names", "loss"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["attempt"] for record in records] == [1, 1, 2, 2]
    assert main(["metrics", "last"]) == 0
    assert "val_accuracy" in capsys.readouterr().out.splitlines()[0]


def wrong(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line a wrong request gets; nothing on stdout, nothing made."""
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "nonsense"], "there is no preset 'nonsense'; there are quickstart"),
        (["train", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["train", "quickstart", "--set", "optim.lr=3"], "optim.lr: 3 is above the limit 1"),
        (["train", "quickstart", "--set", "optim.rl=3"], "did you mean optim.lr?"),
        (["train", "quickstart", "--set", "model.num_heads=3"], "3 does not divide hidden size 128"),
        (["train", "quickstart", "--offline"], "unrecognized arguments: --offline"),
        (["train"], "the following arguments are required: PRESET|FILE.toml"),
        (["dance"], "invalid choice: 'dance'"),
        (["train", "v1-imdb-small"], "nothing is cached; give --offline-corpus"),
        (["show", "warm-otter"], "there are no runs in"),
        (["presets", "show"], "say which preset to show"),
        (["presets", "show", "x"], "there is no preset 'x'"),
    ],
)
def test_a_wrong_request_gets_one_line_and_starts_nothing(
    runs_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in wrong(capsys, *arguments)
    assert all_runs(runs_path) == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stop", "last"], "is failed; there is nothing to stop"),
        (["kill", "last"], "is failed; there is nothing to kill"),
        (["pause", "last"], "is failed; there is nothing to pause"),
        (["set", "last", "lr=x0.5"], "is failed; there is nothing to change"),
        (["set", "last", "lr=fast"], "neither a rate such as 3e-4 nor a factor such as x0.5"),
        (["set", "last", "lr=3"], "above the limit 1"),
        (["set", "last", "steps=0"], "to end the run, stop it"),
        (["set", "last", "lr"], "'lr' is nothing that can be set; say lr=3e-4"),
        (["set", "last", "seed=1"], "'seed=1' is nothing that can be set"),
        (["set", "last", "probes=/no/such/file"], "probes=/no/such/file: the file cannot be read"),
        (["set", "last", "probes=/dev/null"], "probes: there is no sentence; write one a line"),
        (["ask", "last", "evaluate"], "is failed; there is nothing to evaluate"),
        (["ask", "last", "sing"], "invalid choice: 'sing'"),
        (["ask", "last", "probe", "--timeout", "-1"], "no number of seconds from 0 on"),
        (["ask", "last", "probe", "--timeout", "abc"], "'abc' is no number of seconds from 0 on"),
        (["join", "last"], "is for one machine; launch.num_nodes"),
        (["resume", "last"], "has no checkpoint last to go on from"),
        (["resume", "last", "--checkpoint", "../x"], "'../x' is no checkpoint"),
        (["show", "nobody"], "there is no run 'nobody'"),
        (["metrics", "last", "--names", "loss,lol"], "did not record lol; it recorded loss, val_loss"),
        (["metrics", "last", "--json", "--csv"], "choose one"),
        (["probe", "last", "hello"], "the text has no [MASK]"),
        (["probe", "last", "a [MASK]", "--top", "0"], "--top 0: at least 1"),
        (["probe", "last", "a [MASK]", "--temperature", "1"], "--temperature is for causal models"),
    ],
)
def test_a_wrong_request_about_a_run_gets_one_line(
    run: RunFolder, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in wrong(capsys, *arguments)


def test_a_file_with_a_mistake_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[optim]\nlr = 'fast'\n")
    assert f"{path}: optim.lr: 'fast' is not a number" in wrong(capsys, "train", str(path))


def test_hostile_names_reach_the_terminal_as_harmless_text(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    run.write_about(msgspec.structs.replace(run.about(), name=HOSTILE, note=HOSTILE, tags=(HOSTILE,)))
    for arguments in (["runs"], ["show", "last"], ["show", HOSTILE + "x"]):
        main(arguments)
        printed = capsys.readouterr()
        text = printed.out + printed.err
        assert "otter" in text
        assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]


def test_every_verb_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = (
        "train", "runs", "show", "metrics", "probe", "stop", "pause", "kill", "resume", "set", "ask",
        "presets", "doctor",
    )  # fmt: skip
    for verb in verbs:
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0
        assert f"example: tinytrain-tui {verb}" in capsys.readouterr().out
    assert all(verb in make_parser().format_help() for verb in verbs)


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("tinytrain-tui ")


def test_the_runs_folder_may_stand_before_or_after_the_verb(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--runs-dir", str(tmp_path / "x"), "runs"], ["runs", "--runs-dir", str(tmp_path / "x")]):
        assert main(arguments) == 0
        assert f"no run in {tmp_path / 'x'}" in capsys.readouterr().err


def test_a_reader_that_leaves_early_causes_no_traceback(run: RunFolder) -> None:
    writer = RecordWriter(run.attempt(3).metrics_file) if run.attempt(3).path.mkdir() is None else None
    assert writer is not None
    for step in range(20_000):
        writer.write({"step": step, "elapsed_s": 1.0, "loss": 1.0})
    writer.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", "metrics", "last", "--json"],
        env=child_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=20) == 0
    process.stderr.close()


def test_an_ascii_terminal_is_no_reason_to_fail(run: RunFolder) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "runs"], capture_output=True, timeout=20, check=True,
        env={**child_environment(), "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"warm-otter" in done.stdout


def test_a_verb_loads_neither_torch_nor_textual() -> None:
    code = "import sys; from tui.cli import main; main(['presets']); main(['runs'])\n"
    code += "print([m for m in ('torch', 'textual', 'numpy', 'datasets') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), capture_output=True, text=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_presets_are_there_at_once() -> None:
    def seconds(*command: str) -> float:
        """Of the processor: others that compute at the same time count little."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], env=child_environment(), check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare = min(seconds("-c", "import argparse, msgspec, tomllib") for _ in range(3))
    assert min(seconds("-m", "tui", "presets") for _ in range(3)) < bare + 0.25


def test_durations_are_short() -> None:
    assert [elapsed(s) for s in (0, 59.2, 185, 7620, 273_600)] == ["0s", "59s", "3m 05s", "2h 07m", "3d 04h"]


def test_checkpoints_are_named_by_step() -> None:
    assert [checkpoint_name(text) for text in ("last", "best", "40", "step-00000040")] == [
        "last", "best", "step-00000040", "step-00000040",
    ]  # fmt: skip


def test_no_test_touches_the_real_home_folders() -> None:
    assert os.environ["TINYTRAIN_RUNS"].endswith("home/runs")


def test_what_a_terminal_that_is_gone_did_not_take_changes_no_exit_status() -> None:
    program = (
        "import sys; from tui.cli_output import let_go_of_output;"
        "print('ready', flush=True); sys.stdin.readline(); sys.stdout.write('x'); {} sys.exit(129)"
    )
    for let_go, expected in (("", 120), ("let_go_of_output();", 129)):
        master, slave = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", program.format(let_go)], stdin=subprocess.PIPE, stdout=slave, stderr=slave
        )
        os.close(slave)
        assert b"ready" in os.read(master, 100)
        os.close(master)
        process.communicate(b"\n", timeout=60)
        assert process.returncode == expected
