"""`curriculum`: whether a run's curriculum helped, against the same tokens without it; and the run without it."""

from __future__ import annotations

import argparse

from presets.config import ConfigError
from runs.curriculum_report import CurriculumReport, NoComparison, compare, find_twin, twin_config
from runs.folder import RunFolder, RunNotFound, create_run, find_run, runs_dir
from tui.cli_logout import heed_logout
from tui.cli_output import DONE, WrongRequest, say, say_json, say_table
from tui.cli_reference import the_run
from tui.cli_train import Interrupts, start_and_follow
from tui.cli_trust import heed_run


def curriculum(options: argparse.Namespace) -> int:
    """Compare a run with its twin, or start the twin."""
    if options.detach and not options.start_twin:
        raise WrongRequest("--detach goes with --start-twin: without it nothing is started")
    if options.twin and options.start_twin:
        raise WrongRequest("--twin names a run that is there and --start-twin starts one; give one of the two")
    folder = the_run(options)
    try:
        if options.start_twin:
            return _start_twin(folder, options)
        report = compare(folder, _twin(folder, options))
    except NoComparison as error:
        raise WrongRequest(str(error)) from None
    except ConfigError as error:
        raise WrongRequest(f"the settings of {folder.about().name} cannot be used: {error}") from None
    if options.json:
        say_json(report)
    else:
        _say_report(report)
    return DONE


def _twin(folder: RunFolder, options: argparse.Namespace) -> RunFolder:
    runs = runs_dir(options.runs_dir)
    if options.twin:
        try:
            return find_run(runs, options.twin)
        except RunNotFound as error:
            raise WrongRequest(str(error)) from None
    compare_with = find_twin(runs, folder)
    if compare_with is None:
        name = folder.about().name
        raise NoComparison(
            f"there is no finished run with the settings of {name} but no curriculum; start it with "
            f"`tinytrain-tui curriculum {folder.id} --start-twin`, or name one with --twin"
        )
    return compare_with


def _start_twin(folder: RunFolder, options: argparse.Namespace) -> int:
    heed_run(folder, options)
    wanted = twin_config(folder)
    about = folder.about()
    heed_logout(options)
    with Interrupts() as interrupts:
        twin = create_run(
            runs_dir(options.runs_dir), wanted, name=f"{about.name} without curriculum", preset=about.preset
        )
        if not options.json:
            say(f"the same without the curriculum, {wanted.train.max_steps:,} steps for as many tokens:")
        return start_and_follow(twin, "", options, interrupts)


def _say_report(report: CurriculumReport) -> None:
    say(report.sentence)
    header = ("tokens", report.run, report.twin, "difference")
    rows = [
        (f"{p.tokens:,}", f"{p.loss:.4f}", f"{p.twin_loss:.4f}", f"{p.loss - p.twin_loss:+.4f}")
        for p in report.points
    ]
    say_table([header, *rows])
