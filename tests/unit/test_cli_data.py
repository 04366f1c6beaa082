"""`tinytrain-tui data`: what it prints, what it refuses, and what its child processes find in real text."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from presets.config import with_values
from presets.schema import DataConfig, RunConfig
from runs.cache_listing import list_caches
from runs.data_inspection import DataProcess, Failure, Inspection, Progress, Request, with_pace
from runs.folder import create_run
from runs.launch import child_environment
from runs.pace import Pace
from tests.cache_writer import hold_build_lock, write_cache
from tests.conftest import pids_with, wait_until
from tests.fakes.hub import LoopbackHub
from tui.cli import main
from tui.data_words import histogram_lines
from tui.progress_words import progress_words

SMALL = ("--set", "data.vocab_size=64", "--set", "data.tokenizer=word")


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """120 lines, of which two are the same and one is too short, with a control sequence in the first."""
    path = tmp_path / "mine.txt"
    lines = [f"the fox number {n} jumps over {'many ' * (n % 7)}lazy dogs today" for n in range(118)]
    path.write_text("\n".join(["\x1b]52;c;eA==\x07 the evil first line of the file", *lines, lines[0], "short"]))
    return path


def test_the_overview_lists_datasets_caches_and_room(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    printed = capsys.readouterr().out
    for words in ("addresses", "imdb", "wikitext", "markov", "no token caches in", "are free there"):
        assert words in printed
    key = write_cache().name
    assert main(["data"]) == 0
    assert key in capsys.readouterr().out
    assert main(["data", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["caches"][0]["key"] == key and document["usage"]["num_caches"] == 1
    assert next(one for one in document["datasets"] if one["name"] == "addresses")["caches"] == [key]


def test_the_list_holds_what_own_runs_read(
    runs_path: Path, text_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"data.source": "files", "data.dataset": str(text_file)}
    create_run(runs_path, with_values(RunConfig(), values), name="warm-otter")
    assert main(["data", "list", "--json"]) == 0
    found = {one["name"]: one["origin"] for one in json.loads(capsys.readouterr().out)}
    assert found[str(text_file)] == "run warm-otter" and found["imdb"] == "hub" and found["random"] == "grammar"


def test_one_cache_is_described_by_the_beginning_of_its_key(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = write_cache(text_start="\x1b[31mfellow citizens").name
    create_run(runs_path, RunConfig(), name="warm-otter")
    assert main(["data", "info", key[:8]]) == 0
    printed = capsys.readouterr().out
    for words in (key, "complete", "warm-otter", "107 tokens", "900 of 4,000", "≤ 64 tokens", "␛[31mfellow"):
        assert words in printed
    assert "\x1b" not in printed
    assert main(["data", "info", "ffff"]) == 2
    assert "no token cache 'ffff'" in capsys.readouterr().err


def test_nothing_is_cleared_without_a_terminal_or_a_yes(capsys: pytest.CaptureFixture[str]) -> None:
    key = write_cache().name
    assert main(["data", "clear", key]) == 2 and "--yes" in capsys.readouterr().err
    assert main(["data", "clear"]) == 2 and "say which" in capsys.readouterr().err
    assert len(list_caches()) == 1
    assert main(["data", "clear", key, "--yes"]) == 0 and "cleared 1 cache" in capsys.readouterr().out
    assert list_caches() == ()
    assert main(["data", "clear", "--all", "--yes"]) == 0


def test_a_cache_being_built_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    key = write_cache(complete=False).name
    write_cache(DataConfig(vocab_size=999))
    lock = hold_build_lock(key)
    try:
        assert main(["data", "clear", key, "--yes"]) == 2 and "is being built" in capsys.readouterr().err
        assert main(["data", "clear", "--all", "--yes", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["cleared"] == 1 and len(document["kept"]) == 1
    finally:
        os.close(lock)


@pytest.mark.parametrize(("answer", "is_cleared"), [("no\n", False), ("yes\n", True)])
def test_on_a_terminal_it_asks(answer: str, is_cleared: bool) -> None:
    key = write_cache().name
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", "data", "clear", key],
        stdin=slave, stdout=slave, stderr=slave, env=child_environment(),
    )  # fmt: skip
    os.close(slave)
    os.write(master, answer.encode())
    assert process.wait(timeout=30) == 0
    os.close(master)
    assert (list_caches() == ()) == is_cleared


def test_verify_names_the_damage_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_cache()
    assert main(["data", "verify"]) == 0 and f"✓ {folder.name} is intact" in capsys.readouterr().out
    (folder / "shard-00001" / "train.rows.npy").unlink()
    assert main(["data", "verify", folder.name, "--json"]) == 1
    (document,) = json.loads(capsys.readouterr().out)
    assert document["problems"] == ["shard-00001/train.rows.npy is missing"] and not document["is_intact"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing-like-it", "is no preset, file, or owner/name of the hub"),
        ("addresses --set data.max_samples=-1", "max_samples"),
        ("addresses --set data.vocab=3", "no such field"),
    ],
)
def test_a_wrong_name_or_setting_starts_nothing(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", *name.split()]) == 2
    assert said in capsys.readouterr().err


def test_a_file_of_another_kind_says_which_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.doc").write_text("text")
    assert main(["data", "show", str(tmp_path / "x.doc")]) == 2
    assert ".jsonl" in capsys.readouterr().err


def test_a_file_is_shown_with_real_rows_and_figures(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", str(text_file), "--rows", "2", "--tokenize", *SMALL]) == 0
    printed = capsys.readouterr().out
    for words in ("[8 words] ", "␛]52", "the evil first line", "≤ 16 words", "learned from it alone", "unknown"):
        assert words in printed
    assert "\x1b" not in printed and "\x07" not in printed
    assert main(["data", "show", str(text_file), "--json", *SMALL]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["num_documents"], document["is_cached"], document["tokenizer"]) == (121, False, None)
    assert (document["left_out"], document["copies"], document["sampled_documents"]) == (1, 1, 120)


def test_text_that_cannot_be_read_fails_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short.txt").write_text("one\ntwo\n")
    assert main(["data", "show", str(tmp_path / "short.txt")]) == 1
    assert "at least 5 words" in capsys.readouterr().err
    assert main(["data", "show", "nobody/nothing", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["kind"] == "failure"


def test_a_hub_dataset_is_streamed_for_a_look_and_not_downloaded(
    hub: LoopbackHub, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"letter number {number} of many that were sent" for number in range(300)]
    hub.add_dataset("someone/letters", {"default": {"train": texts}})
    assert main(["data", "show", "someone/letters", "--json", "--rows", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["sampled_documents"] == 300 and document["rows"][0]["text"] == texts[0]
    assert document["commit"] and "beginning" in document["notes"][0]
    assert not list((Path(os.environ["HF_HOME"]) / "datasets").glob("**/*.arrow"))
    assert main(["data", "show", "someone/letters", "--set", "data.text_column=txet"]) == 1
    assert "txet" in capsys.readouterr().err


def test_a_build_is_seen_by_every_other_action(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "build", str(text_file), *SMALL]) == 0
    assert "is built, in" in capsys.readouterr().out
    assert main(["data", "build", str(text_file), "--json", *SMALL]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["kind"] == "built" and last["was_there"]
    assert main(["data", "verify", last["key"]]) == 0
    assert main(["data", "info", last["key"]]) == 0
    printed = capsys.readouterr().out
    assert "is intact" in printed and "copies dropped   1" in printed and "64 entries" in printed
    assert main(["data", "show", str(text_file)]) == 0, "it takes the settings of the cache that is there"
    printed = capsys.readouterr().out
    assert "the whole training split" in printed and "complete" in printed
    folder = Path(list_caches()[0].path)
    path = folder / "shard-00000" / "train.tokens"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    assert main(["data", "verify"]) == 1
    assert main(["data", "build", str(text_file), *SMALL]) == 0
    assert main(["data", "verify"]) == 0, "the build repaired it"


def test_ctrl_c_ends_a_build_and_the_next_one_goes_on(runs_path: Path) -> None:
    process = subprocess.Popen(
        # a unigram tokenizer takes a while
        [sys.executable, "-m", "tui", "data", "build", "addresses", "--set", "data.tokenizer=unigram"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=child_environment(), text=True,
    )  # fmt: skip
    wait_until(lambda: len(pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"])) == 2, what="its child")
    assert process.stderr is not None
    process.stderr.readline()  # the first progress: it is at work
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and "the next build continues there" in said
    assert not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"])


def test_the_child_ends_with_its_reader() -> None:
    code = (
        "import sys, time\nfrom presets.schema import DataConfig\n"
        "from runs.data_inspection import DataProcess, Request\n"
        "process = DataProcess(Request(DataConfig(), build=True))\nprint(process.pid, flush=True)\ntime.sleep(60)"
    )
    reader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=child_environment())
    assert reader.stdout is not None
    child = int(reader.stdout.readline())
    reader.kill()
    reader.wait()
    reader.stdout.close()
    wait_until(lambda: not Path(f"/proc/{child}").exists(), what="the child's end")


def test_a_child_that_dies_is_a_failure_with_its_last_words() -> None:
    with DataProcess(Request(DataConfig())) as process:
        os.kill(process.pid, signal.SIGKILL)
        (answer,) = [one for one in process.answers() if not isinstance(one, Progress)]
    assert isinstance(answer, Failure) and "SIGKILL" in answer.error and "memory" in answer.error


def test_an_inspection_reads_the_embedded_corpus() -> None:
    with DataProcess(Request(DataConfig(), rows=3)) as process:
        *progress, found = process.answers()
    assert isinstance(found, Inspection) and all(isinstance(one, Progress) for one in progress)
    assert found.num_documents == 233 and len(found.rows) == 3 and found.tokenizer is None
    assert sum(number for _, number in found.lengths) == found.sampled_documents
    assert "senate" in found.rows[0].text


def test_the_eta_follows_what_the_last_seconds_brought() -> None:
    pace = Pace()
    measured = [with_pace(Progress("tokenising", 100 * n, 2000, "rows"), pace, now=n) for n in range(1, 11)]
    assert measured[0].rate is None
    assert measured[-1].rate == pytest.approx(100) and measured[-1].eta_s == pytest.approx(10)
    assert progress_words(measured[-1]) == "tokenising 1,000 of 2,000 rows · 50 % · 100 rows/s · ETA 10 s"
    assert with_pace(Progress("other", 5, 0, "rows"), pace, now=11).rate is None, "another step begins anew"


def test_bars_are_in_proportion_and_fit_the_width() -> None:
    lines = histogram_lines(((8, 10), (16, 0), (32, 5)), "words", 50)
    assert [line.count("█") for line in lines] == [36, 0, 18]
    assert all(len(line) <= 50 for line in lines) and lines[0].startswith(" ≤ 8 words ")
    assert histogram_lines((), "words", 50) == ()
