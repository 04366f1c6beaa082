"""`train` and `resume`: start a detached run, follow what it writes, and hand on Ctrl-C as a stop."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import time
from pathlib import Path
from types import FrameType

from presets import catalog, config, corpora
from presets.schema import RunConfig
from presets.toml_text import read_file
from runs import launch
from runs.folder import RunFolder, create_run, runs_dir, usual_runs_dir
from runs.ownership import why_read_only
from runs.records import RecordTail
from runs.references import MissingReference, taken_over, with_lasting_references
from runs.status import RunStatus, read_error, read_status
from tui.cli_lines import Lines
from tui.cli_logout import heed_logout
from tui.cli_output import DONE, FAILED, INTERRUPTED, WrongRequest, say, say_json, warn
from tui.cli_reference import checkpoint_name, the_run
from tui.cli_trust import heed_preset, heed_run, heed_start_from

_POLL_S = 0.1


def train(options: argparse.Namespace) -> int:
    """Make a run from a preset, start it, and follow it."""
    preset = read(options.preset)
    heed_preset(preset, options)
    wanted = preset.config
    try:
        wanted = config.with_overrides(wanted, tuple(options.set))
        if options.offline_corpus and wanted.data.source == "hub":
            wanted = corpora.with_embedded_corpus(wanted)
        config.require_valid(wanted)
    except config.ConfigError as error:
        raise WrongRequest("; ".join(str(problem) for problem in error.problems)) from None
    runs = runs_dir(options.runs_dir)
    heed_start_from(wanted, runs, options)
    try:
        asked, wanted = wanted, with_lasting_references(wanted, runs)
    except MissingReference as error:
        raise WrongRequest(str(error)) from None
    taken = "; ".join(config.describe(change) for change in taken_over(asked, wanted))
    if taken:
        warn(f"taken from the checkpoint that the run starts from: {taken}")
    if wanted.data.source == "hub":
        from runs.hub import hub_status

        hub = hub_status(wanted)
        if hub.is_in_the_way:
            advice = "; give --offline-corpus to train on the corpus shipped with the program instead"
            raise WrongRequest(hub.sentence + ("" if wanted.objective.has_labels else advice))
    heed_logout(options)
    with Interrupts() as interrupts:
        folder = make_run(runs, wanted, options.name, preset.name)
        return start_and_follow(folder, "", options, interrupts)


def resume(options: argparse.Namespace) -> int:
    """Start the next attempt of a run, and follow it."""
    folder = the_run(options)
    refusal = why_read_only(folder)
    if refusal:
        raise WrongRequest(refusal)
    name = checkpoint_name(options.checkpoint)
    has_it = any(folder.checkpoints_dir.glob("step-*" if name in ("last", "best") else name))
    if not has_it and name == "last" and read_status(folder).state == "paused":
        name = ""  # it was paused before its first step: to go on is to begin
    elif not has_it:
        raise WrongRequest(f"{folder.about().name} has no checkpoint {name} to go on from")
    if options.processes:
        try:
            config.with_values(folder.config(), {"launch.num_processes": options.processes})
        except config.ConfigError as error:
            raise WrongRequest(str(error)) from None
    heed_run(folder, options)
    heed_logout(options)
    with Interrupts() as interrupts:
        return start_and_follow(folder, name, options, interrupts)


def read(reference: str) -> catalog.Preset:
    """The preset of that name, or the one in that file. Raises WrongRequest."""
    path = Path(reference)
    try:
        if path.suffix == ".toml" or os.sep in reference:
            return catalog.read_preset(read_file(path), path.stem)
        return catalog.find_preset(reference)
    except KeyError as error:
        raise WrongRequest(str(error.args[0])) from None
    except config.ConfigError as error:
        raise WrongRequest(f"{reference}: " + "; ".join(str(problem) for problem in error.problems)) from None
    except (OSError, ValueError) as error:
        raise WrongRequest(f"{reference} cannot be read: {error}") from None


class Interrupts:
    """Counts Ctrl-C and SIGTERM instead of dying of them; for the time in which a run must not be left alone."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


def make_run(runs: Path, wanted: RunConfig, name: str, preset: str) -> RunFolder:
    """The folder of a new run. Raises WrongRequest."""
    try:
        return create_run(runs, wanted, name=name, preset=preset)
    except OSError as error:
        raise WrongRequest(f"the run's folder cannot be made: {error}") from None


def start_and_follow(folder: RunFolder, resume: str, options: argparse.Namespace, interrupts: Interrupts) -> int:
    """Start the run, or let it wait in the queue; `heed_logout` has spoken before."""
    if interrupts.count:
        return INTERRUPTED
    if getattr(options, "queue", False):
        from tui.cli_queue import enqueue

        return enqueue(folder, resume, options)
    _say_who_is_there(folder, getattr(options, "processes", 0))
    try:
        launch.start(folder, resume, getattr(options, "processes", 0), despite_logout=True)
    except (launch.RunBusy, launch.ReadOnlyRun) as error:
        raise WrongRequest(str(error)) from None
    except launch.LaunchFailed as error:
        warn(f"the run could not be started: {error}")
        return FAILED
    name = folder.about().name
    if options.json:
        say_json({"kind": "launched", "id": folder.id, "name": name, "path": str(folder.path)})
    else:
        say(f"{name}  {folder.path}")
        num_nodes = folder.config().launch.num_nodes
        if num_nodes > 1:
            say(_how_to_join(folder, num_nodes - 1))
    if options.detach:
        return DONE
    return _follow(folder, options.json, interrupts)


def _say_who_is_there(folder: RunFolder, num_processes: int) -> None:
    """A run that a person starts begins at once; who has its devices, or waits for them, is at least said."""
    from runs.devices import free_now

    if read_status(folder).is_live:
        return  # which the start refuses
    try:
        answer = free_now(launch.configured(folder, num_processes), folder.path.parent)
    except (OSError, config.ConfigError):
        return
    if not answer.is_free:
        warn(f"{answer.sentence}; it starts all the same, beside them (with --queue it waits for its turn)")


def _how_to_join(folder: RunFolder, num_more: int) -> str:
    """What the other machines are to do; their own folder of runs may be another one than this one's."""
    who = (
        "1 more machine has joined, with" if num_more == 1 else f"{num_more} more machines have joined, each with"
    )
    # the environment of the others is not known, so only the platform's own folder goes without saying
    runs = "" if folder.path.parent == usual_runs_dir() else f"--runs-dir {shlex.quote(str(folder.path.parent))} "
    return f"it begins when {who}: tinytrain-tui {runs}join {folder.id}"


def _follow(folder: RunFolder, as_json: bool, interrupts: Interrupts) -> int:
    """Print what the newest attempt writes until it is over; the first Ctrl-C stops it, the second kills."""
    attempt = folder.attempts()[-1]
    lines = Lines(as_json)
    tails = (RecordTail(attempt.events_file), RecordTail(attempt.metrics_file))
    num_heeded = 0
    while True:
        # the status comes first: what was written before the end is then still printed
        status = read_status(folder)
        for tail in tails:
            for record in tail.poll_all():
                lines.show(record)
        if not status.is_live:
            break
        if interrupts.count > num_heeded:
            num_heeded += 1
            _interrupt(folder, kill=num_heeded > 1)
            continue
        time.sleep(_POLL_S)
    _say_end(folder, status, lines, as_json)
    if num_heeded:
        return INTERRUPTED
    return DONE if status.state in ("finished", "stopped", "paused") else FAILED


def _interrupt(folder: RunFolder, *, kill: bool) -> None:
    try:
        if kill:
            warn("killing the run")
            launch.kill(folder)
        else:
            warn("stopping: the run saves a checkpoint and ends; Ctrl-C again kills it")
            launch.stop(folder)
    except ValueError:  # it ended by itself in the meantime
        return
    except launch.RunBusy as error:
        warn(str(error))


def _say_end(folder: RunFolder, status: RunStatus, lines: Lines, as_json: bool) -> None:
    error = read_error(folder.attempt(status.attempt)) if status.state == "failed" else None
    if as_json:
        say_json({"kind": "ended", "id": folder.id, "status": status, "error": error})
        return
    lines.say_probes()
    outcome = status.outcome
    best = f"; best validation loss {outcome.best_loss:.4f}" if outcome and outcome.best_loss is not None else ""
    at = f" at step {outcome.step:,}" if outcome else ""
    if status.state != "failed":
        say(f"{status.state}{at}{best} ({status.reason})")
        return
    warn(f"failed{at}: {status.reason}")
    if error is not None and error.hint:
        warn(f"hint: {error.hint}")
    warn(f"the whole log: {folder.attempt(status.attempt).console_file}")
