"""Opens runs in every way the program does, as a process of its own: a hang or a crash of it is a finding.

`python -m tests.faults.run_opener make FOLDER` trains a run. `… open RUN` reads requests on its input and answers
each with a line of JSON: what was read, which errors got out, memory and time. A request names a run, whether it
shall also be acted on, and a mode: `naive` is a build whose reader follows links, `trusting` one that unpickles.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from engine.analysis.subject import open_subject
from engine.checkpoints import CheckpointError, CheckpointStore, TrainState
from engine.data.tokenizers import load_tokenizer
from engine.models.build import build_model
from engine.playground import answer, load_model
from engine.weights_from import load_start
from presets.config import ConfigError, with_values
from presets.schema import RunConfig
from runs import control, queue, safe_files, trash, trust
from runs.analysis import Question
from runs.analysis_files import checkpoint_called, read_analysis
from runs.cache_listing import runs_using
from runs.console import tail_console
from runs.console_lines import ConsoleLine, ConsoleReader
from runs.curriculum_report import find_twin
from runs.folder import About, Attempt, RunFolder, find_run
from runs.lock import RunBusy
from runs.outcome import Ending, conclude
from runs.ownership import require_startable
from runs.reader import RunReader
from runs.records import RecordTail
from runs.references import with_lasting_references
from runs.status import latest_attempt, read_state, read_status
from runs.summary import RunIndex
from runs.supervisor import new_attempt
from runs.token_caches import tokenizer_file
from runs.verdict_file import current_verdict
from tests.peak_memory import peak_bytes
from tests.tiny import new_run, tiny_config, train
from tui.cli import main as command_line

MARKER = "BAIT-THAT-NOBODY-MAY-SEE"
MARKED_NUMBER = 424_242_424_242
_EXPECTED = (
    OSError,
    ValueError,
    LookupError,
    CheckpointError,
    RunBusy,
)  # what the screens and verbs say in a line


def make(folder: Path) -> None:
    """A trained run in `runs`, with everything that a supervisor would add."""
    run = new_run(
        folder / "runs", tiny_config(train__max_steps=10, train__eval_every=5, train__checkpoint_every=5)
    )
    train(run)
    attempt = run.attempts()[-1]
    attempt.console_file.write_text("a quiet console\n", encoding="utf-8")
    attempt.ranks_dir.mkdir(exist_ok=True)
    (attempt.ranks_dir / "run_1" / "attempt_0" / "0").mkdir(parents=True)
    (attempt.ranks_dir / "run_1" / "attempt_0" / "0" / "stderr.log").write_text("a quiet rank\n", encoding="utf-8")
    run.supervisor_log.write_text("a quiet supervisor\n", encoding="utf-8")
    current_verdict(run)


@contextlib.contextmanager
def _naive() -> Iterator[None]:
    """A build whose reader and writer take every path as it is."""

    def open_anything(path: Path, flags: int) -> int:
        return os.open(path, flags & ~os.O_NOFOLLOW)

    @contextlib.contextmanager
    def any_folder(path: Path, *, for_writing: bool = False) -> Iterator[tuple[int | None, str]]:
        yield None, str(path)

    ours = safe_files._open_in_run, safe_files._folder_of
    safe_files._open_in_run, safe_files._folder_of = open_anything, any_folder  # type: ignore[assignment]
    try:
        yield
    finally:
        safe_files._open_in_run, safe_files._folder_of = ours


class Opener:
    """Everything that looks at a run, by name."""

    def __init__(self, innocent: RunFolder) -> None:
        loaded = load_model(innocent, "last")
        self.tokenizer = loaded.tokenizer
        self.model = build_model(loaded.config, self.tokenizer.get_vocab_size())

    def ways(self, folder: RunFolder) -> list[tuple[str, Callable[[], object]]]:
        runs, run_id = folder.path.parent, folder.id
        store = CheckpointStore(folder.checkpoints_dir)
        start_from = with_values(RunConfig(), {"model.start_from": f"run:{run_id}@last"})
        tokenizer_of = f"run:{run_id}"
        request = msgspec.json.encode({"run": str(folder.path), "text": "the [MASK] of", "checkpoint": "last"})
        kinds = ("attention", "neighbours", "token-losses", "sentence-losses", "calibration")
        return [
            ("index", lambda: _polled_index(runs)),
            ("reader", lambda: _polled_reader(folder)),
            ("status", lambda: (read_status(folder), read_state(folder), latest_attempt(folder))),
            ("console", lambda: [(tail_console(one, 50), _followed(one)) for one in folder.attempts()]),
            ("events", lambda: [RecordTail(one.events_file).poll_all() for one in folder.attempts()]),
            ("verdict", lambda: current_verdict(folder)),
            ("requests", lambda: control.pending(folder)),
            ("queue", lambda: queue.waiting(runs)),
            ("twin", lambda: find_twin(runs, folder)),
            ("caches", lambda: runs_using(runs, {"some-key"})),
            ("analyses", lambda: [read_analysis(folder, "last", kind, Question()) for kind in kinds]),  # type: ignore[arg-type]
            (
                "pointer",
                lambda: [checkpoint_called(folder, name) for name in ("last", "best", "10", "step-00000005")],
            ),
            ("references", lambda: with_lasting_references(start_from, runs)),
            ("trust", lambda: trust.changes_of_run(folder)),
            ("tokenizer", lambda: _tokenizer(tokenizer_of)),
            ("find by name", lambda: find_run(runs, "somebody")),
            *(
                (f"tinytrain-tui {' '.join(words)}", lambda words=words: _said(runs, words))
                for words in _verbs(run_id)
            ),
            ("load last", lambda: store.load("last")[0].state),
            ("load best", lambda: store.load("best", with_optimizer=False)[0].state),
            ("damage", lambda: [store.damage(name) for name in store.names()]),
            ("playground", lambda: answer(request)),
            ("analysis", lambda: open_subject(folder, "last").state),
            ("start_from", lambda: load_start(self.model, f"run:{run_id}@last", runs, self.tokenizer)),
        ]

    def writes(self, folder: RunFolder) -> list[tuple[str, Callable[[], object]]]:
        """What acts on a run, as far as it can be driven without an engine; the deletion comes last."""
        store = CheckpointStore(folder.checkpoints_dir)
        return [
            ("ask", lambda: control.ask(folder, "evaluate")),
            ("clear", lambda: control.clear(folder)),
            ("edit", lambda: folder.write_about(About("edited"))),
            ("start", lambda: _begin(folder, store)),
            ("save", lambda: _save(store)),
            ("delete", lambda: _delete(folder)),
        ]


def _verbs(run_id: str) -> tuple[tuple[str, ...], ...]:
    return (
        ("runs",), ("runs", "--json"), ("show", run_id), ("show", run_id, "--json"), ("metrics", run_id),
        ("metrics", run_id, "--json"), ("queue",), ("stop", run_id), ("presets",),
    )  # fmt: skip


def _said(runs: Path, words: tuple[str, ...]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = command_line(["--runs-dir", str(runs), *words])
    return f"{status} {out.getvalue()}"


def _polled_index(runs: Path) -> object:
    index = RunIndex(runs)
    return [index.poll() for _ in range(3)]


def _followed(attempt: Attempt) -> list[ConsoleLine]:
    reader = ConsoleReader(attempt)
    while reader.poll():
        pass
    return [*reader.lines, *reader.unended()]


def _polled_reader(folder: RunFolder) -> object:
    reader = RunReader(folder)
    run = reader.poll()
    for _ in range(200):
        if not run.is_behind:
            break
        run = reader.poll()
    values = {name: (list(series.value[:20]), series.last()) for name, series in run.series.items()}
    return msgspec.structs.asdict(run.status), run.about, run.config, run.error, run.events, run.probes, values


def _tokenizer(reference: str) -> object:
    path = tokenizer_file(reference)
    return path and load_tokenizer(path).get_vocab()


def _begin(folder: RunFolder, store: CheckpointStore) -> None:
    """What a resume writes, without its engine."""
    require_startable(folder)
    folder.config()
    store.clean_up()
    attempt = new_attempt(folder)
    conclude(folder, attempt, Ending(returncode=1))


def _save(store: CheckpointStore) -> None:
    """What a running engine writes. Whatever else is in the way, it does not lead out of the run."""
    require_startable(RunFolder(store.folder.parent))
    weights = {"weight": torch.zeros(3)}
    for step in (20, 21, 22):
        store.save(weights, weights, TrainState(step=step), {"config.toml": "x"}, is_best=True, keep=2)


def _delete(folder: RunFolder) -> None:
    trash.delete_run(folder)
    trash.empty(folder.path.parent, trash.in_trash(folder.path.parent))


def _unpickle(folder: RunFolder) -> None:
    """As a build would that takes every file of a checkpoint for torch's own."""
    for path in sorted(folder.checkpoints_dir.glob("step-*/*")):
        with contextlib.suppress(Exception):
            torch.load(path, weights_only=False)


def _tried(ways: list[tuple[str, Callable[[], object]]]) -> tuple[str, list[str], list[str]]:
    """What it all gave, as text; what let an error out that nobody expects; what was slow."""
    texts: list[str] = []
    crashes: list[str] = []
    slow: list[str] = []
    for name, way in ways:
        began, computed = time.monotonic(), time.process_time()
        try:
            texts.append(f"{name}: {way()!r}")
        except (*_EXPECTED, ConfigError) as error:
            texts.append(f"{name}: {error}")
        except Exception as error:
            crashes.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
        # by the processor's time, since other processes may keep this one waiting; a pipe would for ever
        took, computing = time.monotonic() - began, time.process_time() - computed
        if computing > 2 or took > 15:
            slow.append(f"{name}: {took:.1f} s, computing {computing:.1f} s")
    return "\n".join(texts), crashes, slow


def serve(innocent: RunFolder) -> None:
    """Answer until the input ends."""
    opener = Opener(innocent)
    say = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing but answers
    print(json.dumps("ready"), file=say, flush=True)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        folder = RunFolder(Path(request["run"]))
        os.environ["TINYTRAIN_RUNS"] = str(folder.path.parent)
        before = peak_bytes()
        ways = opener.ways(folder) + (opener.writes(folder) if request["writes"] else [])
        if request["mode"] == "trusting":
            ways = [("torch.load", lambda folder=folder: _unpickle(folder))]
        with _naive() if request["mode"] == "naive" else contextlib.nullcontext():
            text, crashes, slow = _tried(ways)
        grown = (peak_bytes() - before) >> 20
        leaks = [row[:200] for row in text.split("\n") if MARKER in row or str(MARKED_NUMBER) in row]
        found = {"leaks": leaks, "crashes": crashes, "slow": slow, "grown_mb": grown, "text": text}
        print(json.dumps(found), file=say, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        serve(RunFolder(Path(sys.argv[2])))
