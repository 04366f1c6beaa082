"""The command `tinytrain-tui`: the dashboard without arguments, and everything it does as verbs."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tui.analyse_arguments import add_analyse_options
from tui.cli_output import FAILED, INTERRUPTED, WRONG, WrongRequest, give_up_pipe, say, speak_plainly, warn
from tui.data_arguments import add_data_actions
from tui.queue_arguments import add_queue_options

PROGRAM = "tinytrain-tui"

_RUN_HELP = "an id, a unique beginning of one, a name, or `last`"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of the whole usage."""
        raise WrongRequest(f"{self.prog}: {message} (see {self.prog} --help)")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        try:
            version = metadata.version(PROGRAM)
        except metadata.PackageNotFoundError:
            version = "(a source tree that is not installed)"
        say(f"{PROGRAM} {version}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status.

    0 done; 1 the run failed; 2 the request was wrong, nothing was started; 130 interrupted.
    """
    speak_plainly()
    try:
        options = make_parser().parse_args(arguments)
        verb: Callable[[argparse.Namespace], int] = options.do
        status = verb(options)
        sys.stdout.flush()
        return status
    except WrongRequest as error:
        warn(str(error))
        return WRONG
    except BrokenPipeError:
        give_up_pipe()  # `| head` has seen enough; a run that was followed goes on
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        warn(f"{PROGRAM}: {error}")
        return FAILED


def make_parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    parser = _Parser(
        prog=PROGRAM,
        description="A terminal dashboard for training small language models. Without a verb, it opens.",
        epilog="exit status: 0 done; 1 the run failed; 2 the request was wrong; 130 interrupted",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("--runs-dir", type=Path, default=None, metavar="FOLDER", help="where the runs are")
    parser.set_defaults(do=_dashboard)
    verbs = parser.add_subparsers(metavar="VERB", title="verbs", parser_class=_Parser)

    def verb(
        name: str, module: str, help: str, example: str, json: str = "print JSON", do: str = ""
    ) -> argparse.ArgumentParser:
        made = verbs.add_parser(
            name,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog=f"example: {PROGRAM} {example}",
            allow_abbrev=False,
        )
        made.add_argument(
            "--runs-dir", type=Path, default=argparse.SUPPRESS, metavar="FOLDER", help=argparse.SUPPRESS
        )
        made.add_argument("--json", action="store_true", help=json)
        made.set_defaults(do=_from_module(module, do or name))
        return made

    train = verb(
        "train", "cli_train", "start a run and follow it to its end",
        "train quickstart --set train.max_steps=300 --set optim.lr=1e-3", "print one JSON object a line",
    )  # fmt: skip
    train.add_argument("preset", metavar="PRESET|FILE.toml", help="a preset's name, or a file like one")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field, such as optim.lr=1e-3; may be given again",
    )
    train.add_argument("--name", default="", help="what to call the run; made up without it")
    train.add_argument(
        "--offline-corpus",
        action="store_true",
        help="train on the corpus shipped with the program, not on the preset's hub dataset",
    )
    train.add_argument("--detach", action="store_true", help="return once the run is started; it goes on")

    runs = verb("runs", "cli_runs", "list the runs, newest first", "runs running")
    runs.add_argument(
        "filter",
        nargs="?",
        default="",
        metavar="FILTER",
        help="words that name, id, preset, dataset, tags or state must hold",
    )

    show = verb("show", "cli_runs", "show one run: its state, figures and settings", "show last")
    show.add_argument("run", metavar="RUN", help=_RUN_HELP)

    metrics = verb(
        "metrics",
        "cli_metrics",
        "print what a run recorded",
        "metrics last --names loss,val_loss --csv",
        "print one JSON object a line",
    )
    metrics.add_argument("run", metavar="RUN", help=_RUN_HELP)
    metrics.add_argument("--names", default="", metavar="A,B", help="only these metrics; all without it")
    metrics.add_argument("--csv", action="store_true", help="print comma-separated values")

    probe = verb(
        "probe",
        "cli_probe",
        "let a run's model fill in a [MASK], go on from a beginning, or name a text's label",
        'probe last "the people of the united [MASK]"',
    )
    probe.add_argument("run", metavar="RUN", help=_RUN_HELP)
    probe.add_argument(
        "text", metavar="TEXT", help="with at least one [MASK]; for a causal model, a beginning; to classify, any"
    )
    probe.add_argument(
        "--checkpoint", default="last", metavar="best|last|STEP", help="whose weights (default: last)"
    )
    probe.add_argument(
        "--top", type=int, metavar="N", help="words shown for each [MASK], or labels of a text (default: 5)"
    )
    for option, kind, help_text in (
        ("--new-tokens", int, "how far a causal model goes on"),
        ("--temperature", float, "of its draws; 0 takes the likeliest"),
        ("--top-p", float, "draw from the likeliest that make up this probability"),
        ("--seed", int, "of its draws"),
    ):
        probe.add_argument(option, type=kind, metavar="X", help=f"{help_text} (default: as the run's settings)")
    probe.add_argument(
        "--draw-from", dest="sample_top_k", type=int, metavar="N", help="draw from the N likeliest; 0 for all"
    )

    analyse = verb(
        "analyse", "cli_analyse", "look into a checkpoint: attention, embeddings, hard tokens, calibration, fit",
        'analyse last --checkpoint best --sentence "the people of the united states"',
    )  # fmt: skip
    add_analyse_options(analyse, _RUN_HELP)

    stop = verb(
        "stop",
        "cli_control",
        "let a run save and end, or take it out of the queue; wait until it has",
        "stop last",
    )
    pause = verb("pause", "cli_control", "let a run save and free its device until it is resumed", "pause last")
    kill = verb("kill", "cli_control", "end a run at once, without saving", "kill warm-otter")
    resume = verb(
        "resume",
        "cli_train",
        "go on with a run from a checkpoint, and follow it",
        "resume last --detach",
        "print one JSON object a line",
    )
    change = verb(
        "set", "cli_requests", "change the learning rate or the steps of a run that trains",
        "set last lr=x0.5 steps=+1000", do="set_values",
    )  # fmt: skip
    now = verb(
        "ask",
        "cli_requests",
        "let a run that trains evaluate, save or probe at its next step",
        "ask last evaluate",
    )
    for one in (stop, pause, kill, resume, change, now):
        one.add_argument("run", metavar="RUN", help=_RUN_HELP)
    change.add_argument(
        "changes", nargs="+", metavar="lr=RATE|steps=N",
        help="lr=3e-4 is a rate, lr=x0.5 a factor; steps=5000 is a number, steps=+1000 and steps=-500 a change",
    )  # fmt: skip
    now.add_argument("what", choices=("evaluate", "checkpoint", "probe"), help="what it is to do now")
    for one in (change, now):
        one.add_argument(
            "--timeout", type=_seconds, default=60.0, metavar="SECONDS",
            help="wait so long for the engine's answer, 0 not at all (default: 60); the request stays after it",
        )  # fmt: skip
    resume.add_argument(
        "--checkpoint", default="last", metavar="best|last|STEP", help="where to go on (default: last)"
    )
    resume.add_argument(
        "--processes", type=int, default=0, metavar="N", help="another number of processes (GPUs) than before"
    )
    resume.add_argument("--detach", action="store_true", help="return once the run is started; it goes on")

    join = verb(
        "join", "cli_join", "train this machine's share of a run of several machines, beside the first one's",
        "join last --runs-dir /shared/runs",
    )  # fmt: skip
    join.add_argument("run", metavar="RUN", help=_RUN_HELP)
    join.add_argument(
        "--processes", type=int, default=0, metavar="N", help="another number of processes (GPUs) here"
    )

    curriculum = verb(
        "curriculum", "cli_curriculum",
        "say whether a run's curriculum helped, at equal tokens without it", "curriculum last --start-twin",
    )  # fmt: skip
    curriculum.add_argument("run", metavar="RUN", help=_RUN_HELP)
    curriculum.add_argument(
        "--twin", default="", metavar="RUN", help="the run without it; without this, the one that matches best"
    )
    curriculum.add_argument(
        "--start-twin", action="store_true", help="start the same run without the curriculum, for as many tokens"
    )
    curriculum.add_argument("--detach", action="store_true", help="with --start-twin: return once it is started")
    for one in (train, resume, curriculum, join):
        one.add_argument(
            "--yes", action="store_true", help="use settings that somebody else wrote; they are shown all the same"
        )
    for one in (train, resume, curriculum):
        one.add_argument(
            "--despite-logout", action="store_true", help="start the run even though logging out would end it"
        )

    waiting = verb(
        "queue", "cli_queue", "list the runs that wait for free devices, or change their order",
        "queue move warm-otter first",
    )  # fmt: skip
    add_queue_options(waiting, (train, resume))

    presets = verb(
        "presets", "cli_presets", "list the presets, show one, or compare the models of several",
        "presets compare v1-imdb-small v2-hf-medium hf-large",
    )  # fmt: skip
    presets.add_argument(
        "action",
        nargs="?",
        choices=("show", "compare"),
        metavar="show|compare",
        help="one in full, or several models",
    )
    presets.add_argument("names", nargs="*", metavar="NAME", help="which ones")

    data = verb("data", "cli_data", "show datasets and token caches, build and clear caches", "data show imdb")
    add_data_actions(data, _Parser)

    verb("doctor", "doctor", "say what this machine has: Python, torch, GPUs, disk, terminal, hub", "doctor")
    return parser


def _seconds(text: str) -> float:
    message = f"{text!r} is no number of seconds from 0 on"
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(message) from None
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(message)
    return seconds


def _from_module(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """The verb's function, imported when it is called: a verb starts without what the others need."""

    def do(options: argparse.Namespace) -> int:
        if name == "doctor":
            from runs.folder import runs_dir
            from tui.doctor import main as doctor

            return doctor(options.json, runs_dir(options.runs_dir))
        function: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"tui.{module}"), name)
        return function(options)

    return do


def _dashboard(options: argparse.Namespace) -> int:
    """Open the dashboard; without a terminal train the quickstart preset instead, and say so."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        warn(f"there is no terminal here, so this does what `{PROGRAM} train quickstart` does")
        runs = ["--runs-dir", str(options.runs_dir)] if options.runs_dir else []
        return main([*runs, "train", "quickstart"])
    from runs.folder import runs_dir
    from tui.app import TinyTrainApp

    gc.disable()  # until the app has painted: collecting among the objects of a start takes a tenth of it
    for variable in ("COLUMNS", "LINES"):  # a parent's, and Textual would believe them rather than the terminal
        os.environ.pop(variable, None)
    app = TinyTrainApp(runs=runs_dir(options.runs_dir))
    app.run()
    return app.return_code or 0
