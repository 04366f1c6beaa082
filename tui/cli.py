"""The command `tinytrain-tui`: the dashboard without arguments, and everything it does as verbs."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from tui.analyse_arguments import add_analyse_options
from tui.cli_output import FAILED, INTERRUPTED, WRONG, WrongRequest, give_up_pipe, say, speak_plainly, warn
from tui.data_arguments import add_data_actions
from tui.launch_arguments import add_plan_options, add_preset_options, add_sweep_options
from tui.queue_arguments import add_queue_options
from tui.run_arguments import add_copy_options, add_edit_options, add_list_options, add_undelete_options
from tui.tmux import is_tmux

PROGRAM = "tinytrain-tui"
_FEW_FRAMES = 8  # a second, over a slow connection

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
        words = sys.argv[1:] if arguments is None else arguments
        options = make_parser().parse_args(words) if words else without_a_word()
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


def without_a_word() -> argparse.Namespace:
    """What the parser makes of no argument at all: the dashboard does not wait for those of all verbs."""
    return argparse.Namespace(version=None, runs_dir=None, no_mouse=False, low_bandwidth=False, do=_dashboard)


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
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--low-bandwidth", action="store_true", help="fewer frames and plain characters, for a slow connection"
    )
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

    runs = verb("runs", "cli_runs", "list the runs, newest first", "runs state:running tag:keep --sort best")
    add_list_options(runs)

    show = verb("show", "cli_runs", "show one run: its state, figures and settings", "show last")
    show.add_argument("run", metavar="RUN", help=_RUN_HELP)

    beside = verb(
        "compare", "cli_compare", "lay runs side by side: figures, settings that differ, probes, or one metric",
        "compare warm-otter small-lr --metric val_loss",
    )  # fmt: skip
    beside.add_argument("runs", metavar="RUN", nargs="+", help=f"two or more; {_RUN_HELP}")
    beside.add_argument("--metric", default="", metavar="NAME", help="the values of one metric instead")
    beside.add_argument("--all", action="store_true", help="all settings, not only those that differ")
    beside.add_argument("--step", type=int, metavar="N", help="the probes of that step; the newest without it")

    paper = verb(
        "report", "cli_report", "write a run as one HTML file that opens anywhere", "report last -o run.html"
    )
    paper.add_argument("run", metavar="RUN", help=_RUN_HELP)
    paper.add_argument(
        "-o", "--output", default="", metavar="FILE", help="where to (default: the run's id, in this folder)"
    )

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
        "text",
        metavar="TEXT",
        nargs="?",
        help="with at least one [MASK]; for a causal model, a beginning; to classify, any",
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
    probe.add_argument("--against", metavar="RUN[@CHECKPOINT]", help="let a second checkpoint answer, too")
    probe.add_argument("--tokens", action="store_true", help="what the tokenizer did, and what each token costs")
    probe.add_argument("--attention", metavar="LAYER.HEAD", help="what each token looks at; both count from 1")
    probe.add_argument("--neighbours", metavar="WORD", help="the words whose embeddings are nearest to a word's")
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
        "set", "cli_requests", "change the learning rate, the steps or the probes of a run that trains",
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
        "changes", nargs="+", metavar="lr=RATE|steps=N|probes=FILE",
        help="lr=3e-4 is a rate, lr=x0.5 a factor; steps=5000 is a number, steps=+1000 and steps=-500 a change; "
        "a file of probes has one a line, with the words that belong there after =>; - is standard input",
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
    edit = verb(
        "edit", "cli_edit", "change what you say of runs: name, tags, note, group, pinned, archived",
        "edit last --tag keep --note 'the good one'",
    )  # fmt: skip
    add_edit_options(edit)
    delete = verb("delete", "cli_edit", "move runs that have ended into the trash", "delete warm-otter")
    for one in (edit, delete):
        one.add_argument("runs", metavar="RUN", nargs="+", help=_RUN_HELP)
    undelete = verb("undelete", "cli_edit", "bring deleted runs back, or list the trash", "undelete last")
    add_undelete_options(undelete)

    clone = verb(
        "clone", "cli_lineage", "start a run with another one's settings, some of them changed",
        "clone last --set optim.lr=3e-4", "print one JSON object a line",
    )  # fmt: skip
    fork = verb(
        "fork", "cli_lineage", "start a run that goes on from another one's checkpoint, settings changed",
        "fork last --checkpoint best --set optim.lr=1e-4 --set train.max_steps=4000",
        "print one JSON object a line",
    )  # fmt: skip
    add_copy_options(clone, fork)
    for one in (clone, fork):
        one.add_argument("run", metavar="RUN", help=_RUN_HELP)
    for one in (train, resume, curriculum, join, clone, fork):
        one.add_argument(
            "--yes", action="store_true", help="use settings that somebody else wrote; they are shown all the same"
        )
    for one in (train, resume, curriculum, clone, fork):
        one.add_argument(
            "--despite-logout", action="store_true", help="start the run even though logging out would end it"
        )

    waiting = verb(
        "queue", "cli_queue", "list the runs that wait for free devices, or change their order",
        "queue move warm-otter first",
    )  # fmt: skip
    add_queue_options(waiting, (train, resume, clone, fork))

    presets = verb(
        "presets", "cli_presets", "list the presets, show one, compare several; save, share and delete your own",
        "presets compare v1-imdb-small v2-hf-medium hf-large",
    )  # fmt: skip
    add_preset_options(presets)

    plan = verb(
        "plan", "cli_plan", "say what a run would cost and whether it fits, without starting it",
        "plan quickstart --set model.hidden_size=512",
    )  # fmt: skip
    add_plan_options(plan)

    sweep = verb(
        "sweep", "cli_sweep", "queue runs that differ in a few fields, and show what came of them",
        "sweep quickstart --grid optim.lr=1e-4,3e-4,1e-3 --start",
    )  # fmt: skip
    add_sweep_options(sweep)

    data = verb("data", "cli_data", "show datasets and token caches, build and clear caches", "data show imdb")
    add_data_actions(data, _Parser)

    told = verb("events", "cli_story", "say what happened to a run, sentence by sentence", "events last",
                "print one JSON object a line")  # fmt: skip
    printed = verb("log", "cli_story", "print the end of what a run's processes printed", "log last --lines 50")
    printed.add_argument("--lines", type=int, default=200, metavar="N", help="how many lines (default: 200)")
    for one in (told, printed):
        one.add_argument("run", metavar="RUN", help=_RUN_HELP)

    verb("keys", "cli_keys", "list every command of the dashboard with its key, for settings.toml", "keys")
    notify = verb(
        "notify", "cli_notify", "try how you are told of a run's end: bell, terminal, webhook", "notify test"
    )
    notify.add_argument("what", choices=("test",), metavar="test", help="send a test by every way that is set")

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
    from tui.settings import read_settings

    if options.low_bandwidth:
        os.environ["TINYTRAIN_LOW_BANDWIDTH"] = "1"
    settings = read_settings()
    if options.no_mouse:
        settings = replace(settings, mouse=False)
    if settings.low_bandwidth:
        os.environ.setdefault("TEXTUAL_FPS", str(_FEW_FRAMES))  # read when Textual is imported
    if is_tmux(os.environ):
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "truecolor")  # also read then
    from tui.app import TinyTrainApp

    gc.disable()  # until the app has painted: collecting among the objects of a start takes a tenth of it
    for variable in ("COLUMNS", "LINES"):  # a parent's, and Textual would believe them rather than the terminal
        os.environ.pop(variable, None)
    app = TinyTrainApp(runs=runs_dir(options.runs_dir), settings=settings)
    app.run(mouse=settings.mouse)
    return app.return_code or 0
