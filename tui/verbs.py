"""The verbs of the command line: what each is for, what can be said after it, and what does it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tui.arguments import checkpoints, common, live, presets, runs, training
from tui.arguments.data import data
from tui.arguments.parser import Parser, Version, add_verb
from tui.cli_output import PROGRAM

_JSON_LINES = "print one JSON object a line"


class Verb(NamedTuple):
    """does: a module of `tui`, imported when the verb is called, and its function. example: without the program.

    arguments: adds them to a parser. json: what `--json` does.
    """

    name: str
    does: str
    help: str
    example: str
    arguments: Callable[[ArgumentParser], None] = common.run
    json: str = "print JSON"


VERBS = (
    Verb("train", "cli_train.train", "start a run and follow it to its end",
         "train quickstart --set train.max_steps=300 --set optim.lr=1e-3", training.train, _JSON_LINES),
    Verb("runs", "cli_runs.runs", "list the runs, newest first",
         "runs state:running tag:keep --sort best", runs.listing),
    Verb("show", "cli_runs.show", "show one run: its state, figures and settings", "show last"),
    Verb("compare", "cli_compare.compare",
         "lay runs side by side: figures, settings that differ, probes, or one metric",
         "compare warm-otter small-lr --metric val_loss", runs.compare),
    Verb("report", "cli_report.report", "write a run as one HTML file that opens anywhere",
         "report last -o run.html", runs.report),
    Verb("metrics", "cli_metrics.metrics", "print what a run recorded",
         "metrics last --names loss,val_loss --csv", runs.metrics, _JSON_LINES),
    Verb("probe", "cli_probe.probe",
         "let a run's model fill in a [MASK], go on from a beginning, or name a text's label",
         'probe last "the people of the united [MASK]"', checkpoints.probe),
    Verb("analyse", "cli_analyse.analyse",
         "look into a checkpoint: attention, embeddings, hard tokens, calibration, fit",
         'analyse last --checkpoint best --sentence "the people of the united states"', checkpoints.analyse),
    Verb("stop", "cli_control.stop",
         "let a run save and end, or take it out of the queue; wait until it has", "stop last"),
    Verb("pause", "cli_control.pause",
         "let a run save and free its device until it is resumed", "pause last"),
    Verb("kill", "cli_control.kill", "end a run at once, without saving", "kill warm-otter"),
    Verb("resume", "cli_train.resume", "go on with a run from a checkpoint, and follow it",
         "resume last --detach", training.resume, _JSON_LINES),
    Verb("set", "cli_requests.set_values",
         "change the learning rate, the steps or the probes of a run that trains",
         "set last lr=x0.5 steps=+1000", live.changes),
    Verb("ask", "cli_requests.ask", "let a run that trains evaluate, save or probe at its next step",
         "ask last evaluate", live.ask),
    Verb("join", "cli_join.join",
         "train this machine's share of a run of several machines, beside the first one's",
         "join last --runs-dir /shared/runs", training.join),
    Verb("curriculum", "cli_curriculum.curriculum",
         "say whether a run's curriculum helped, at equal tokens without it",
         "curriculum last --start-twin", training.curriculum),
    Verb("edit", "cli_edit.edit", "change what you say of runs: name, tags, note, group, pinned, archived",
         "edit last --tag keep --note 'the good one'", runs.edit),
    Verb("delete", "cli_trash.delete", "move runs that have ended into the trash",
         "delete warm-otter", common.runs),
    Verb("undelete", "cli_trash.undelete", "bring deleted runs back, or list the trash",
         "undelete last", runs.undelete),
    Verb("trash", "cli_trash.trash", "list the deleted runs with their sizes, or delete them for good",
         "trash empty --older-than 7d", runs.trash),
    Verb("clone", "cli_lineage.clone", "start a run with another one's settings, some of them changed",
         "clone last --set optim.lr=3e-4", training.clone, _JSON_LINES),
    Verb("fork", "cli_lineage.fork",
         "start a run that goes on from another one's checkpoint, settings changed",
         "fork last --checkpoint best --set optim.lr=1e-4 --set train.max_steps=4000",
         training.fork, _JSON_LINES),
    Verb("queue", "cli_queue.queue", "list the runs that wait for free devices, or change their order",
         "queue move warm-otter first", training.queue),
    Verb("presets", "cli_presets.presets",
         "list the presets, show one, compare several; save, share and delete your own",
         "presets compare v1-imdb-small v2-hf-medium hf-large", presets.presets),
    Verb("plan", "cli_plan.plan", "say what a run would cost and whether it fits, without starting it",
         "plan quickstart --set model.hidden_size=512", presets.plan),
    Verb("sweep", "cli_sweep.sweep", "queue runs that differ in a few fields, and show what came of them",
         "sweep quickstart --grid optim.lr=1e-4,3e-4,1e-3 --start", presets.sweep),
    Verb("data", "cli_data.data", "show datasets and token caches, build and clear caches",
         "data show imdb", data),
    Verb("events", "cli_story.events", "say what happened to a run, sentence by sentence",
         "events last", json=_JSON_LINES),
    Verb("log", "cli_story.log", "print the end of what a run's processes printed",
         "log last --lines 50", runs.log),
    Verb("keys", "cli_keys.keys", "list every command of the dashboard with its key, for settings.toml",
         "keys", common.nothing),
    Verb("notify", "cli_notify.notify", "try how you are told of a run's end: bell, terminal, webhook",
         "notify test", live.notify),
    Verb("doctor", "doctor.doctor", "say what this machine has: Python, torch, GPUs, disk, terminal, hub",
         "doctor", common.nothing),
)  # fmt: skip


def make_parser() -> Parser:
    """All verbs and their arguments. What a call shall do is in `does`, as of a Verb."""
    parser = Parser(
        prog=PROGRAM,
        description="A terminal dashboard for training small language models. Without a verb, it opens.",
        epilog="exit status: 0 done; 1 the run failed; 2 the request was wrong; 130 interrupted",
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    parser.add_argument("--runs-dir", type=Path, default=None, metavar="FOLDER", help="where the runs are")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--low-bandwidth", action="store_true", help="fewer frames and plain characters, for a slow connection"
    )
    parser.set_defaults(does="cli_dashboard.dashboard")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    for verb in VERBS:
        made = add_verb(verbs, verb.name, verb.help, verb.example, verb.json)
        made.set_defaults(does=verb.does)
        verb.arguments(made)
    return parser
