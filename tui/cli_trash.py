"""`delete`, `undelete` and `trash`: runs out of sight, back again, or gone for good."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from runs.clock import local_time
from runs.disk import bytes_under
from runs.folder import runs_dir
from runs.lock import RunBusy
from runs.ownership import why_read_only
from runs.trash import Trashed, delete_run, empty, half_purged, in_trash, undelete_run
from tui.cli_output import DONE, FAILED, PROGRAM, WrongRequest, say, say_json, say_table, warn
from tui.cli_reference import the_runs
from tui.figures import num_bytes, plural
from tui.filter_values import seconds
from tui.run_fields import short_age


def delete(options: argparse.Namespace) -> int:
    """Move runs into the trash beside the runs."""
    for folder in the_runs(options):
        name = folder.about().name
        try:
            trash = delete_run(folder)
        except (RunBusy, ValueError) as error:
            raise WrongRequest(str(error)) from None
        if options.json:
            say_json({"id": folder.id, "name": name, "trash": str(trash)})
        else:
            say(f"{name} is in the trash; `{PROGRAM} undelete {folder.id}` brings it back")
    return DONE


def undelete(options: argparse.Namespace) -> int:
    """Bring runs back from the trash, or list what is in it."""
    runs = runs_dir(options.runs_dir)
    trashed = in_trash(runs)
    if not options.runs and options.json:
        say_json([_document(one) for one in trashed])
        return DONE
    if not options.runs:
        return _say_trash(runs)
    for one in [_the_trashed(trashed, reference) for reference in options.runs]:
        try:
            folder = undelete_run(one.path)
        except (OSError, ValueError) as error:
            raise WrongRequest(str(error)) from None
        if options.json:
            say_json({"id": folder.id, "name": folder.about().name, "path": str(folder.path)})
        else:
            say(f"{folder.about().name} is back")
    return DONE


def trash(options: argparse.Namespace) -> int:
    """List what is in the trash, or delete of it for good."""
    runs = runs_dir(options.runs_dir)
    if options.action != "empty":
        if options.older_than:
            raise WrongRequest(f"--older-than says what to delete: {PROGRAM} trash empty --older-than ...")
        return _say_trash(runs, as_json=options.json)
    chosen, left = _chosen(runs, options), half_purged(runs)
    if not options.yes and (chosen or left) and not _is_sure(chosen, left):
        warn("nothing was deleted for good")
        return DONE
    emptied = empty(runs, chosen)
    if options.json:
        say_json({"deleted": emptied.num_runs, "freed_bytes": emptied.num_bytes, "problems": emptied.problems})
    else:
        say(f"{plural(emptied.num_runs, 'run')} deleted for good, {num_bytes(emptied.num_bytes)} freed")
        for sentence in emptied.problems:
            warn(f"still in the trash: {sentence}")
    return FAILED if emptied.problems else DONE


def _chosen(runs: Path, options: argparse.Namespace) -> tuple[Trashed, ...]:
    """What is to be deleted for good: all, or what is named; of that, the old ones. Raises WrongRequest."""
    trashed = in_trash(runs)
    chosen = tuple(dict.fromkeys(_the_trashed(trashed, one) for one in options.runs)) or trashed
    for one in chosen if options.runs else ():
        if refusal := why_read_only(one.folder):
            raise WrongRequest(refusal)
    if not options.older_than:
        return chosen
    try:
        age_s = seconds(options.older_than)
    except ValueError as error:
        raise WrongRequest(f"--older-than: {error}") from None
    if not age_s >= 0:
        raise WrongRequest(f"--older-than: {options.older_than!r} is no length of time, such as 12h or 7d")
    now = time.time()
    return tuple(one for one in chosen if now - one.deleted >= age_s)


def _is_sure(chosen: tuple[Trashed, ...], left: tuple[Path, ...]) -> bool:
    """Ask on the terminal. Raises WrongRequest where there is none."""
    size = num_bytes(sum(one.num_bytes() for one in chosen) + sum(bytes_under(path) for path in left))
    what = f"{plural(len(chosen), 'run')} ({size}) with curves and checkpoints"
    if len(chosen) == 1:
        what = f"{chosen[0].folder.about().name} ({chosen[0].id}, {size}) with curves and checkpoints"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongRequest(f"this would delete {what} for good, and nobody can be asked here; add --yes to do it")
    warn(f"This deletes {what} for good. Nothing brings that back.")
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _the_trashed(trashed: tuple[Trashed, ...], reference: str) -> Trashed:
    """By id, unique beginning, name, or `last`. Raises WrongRequest."""
    if reference == "last" and trashed:
        return trashed[0]
    exact = [one for one in trashed if one.id == reference]
    begins = [one for one in trashed if reference and one.id.startswith(reference)]
    named = [one for one in trashed if one.folder.about().name == reference]
    for matches in (exact, begins, named):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(one.id for one in matches[:5])
            raise WrongRequest(f"{reference!r} means {len(matches)} deleted runs: {ids}; say which by its id")
    raise WrongRequest(f"there is no deleted run {reference!r}; `{PROGRAM} trash` lists them")


def _say_trash(runs: Path, *, as_json: bool = False) -> int:
    """Every deleted run with its size and its age, then what all of them take of the disk."""
    documents = [_document(one) for one in in_trash(runs)]
    left = [bytes_under(path) for path in half_purged(runs)]
    total = sum(document["num_bytes"] for document in documents) + sum(left)
    if as_json:
        half = {"num_runs": len(left), "num_bytes": sum(left)}
        say_json({"runs": documents, "num_bytes": total, "half_deleted": half})
        return DONE
    if documents:
        now = time.time()
        rows = [
            (
                f"⊘ {one['name']}" if one["read_only"] else one["name"],
                num_bytes(one["num_bytes"]),
                short_age(now - one["deleted"]),
                local_time(one["deleted"], "%Y-%m-%d %H:%M"),
                one["id"],
            )
            for one in documents
        ]
        say_table([("name", "size", "age", "deleted", "id"), *rows])
        say(f"{plural(len(documents), 'run')}, {num_bytes(total)}; `{PROGRAM} trash empty` deletes them for good")
    else:
        warn("the trash is empty")
    if left:
        what = f"{plural(len(left), 'run')} half deleted for good ({num_bytes(sum(left))})"
        say(f"{what}, when that was interrupted; `{PROGRAM} trash empty` ends it")
    return DONE


def _document(one: Trashed) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.folder.about().name,
        "deleted": one.deleted,
        "num_bytes": one.num_bytes(),
        "path": str(one.path),
        "read_only": why_read_only(one.folder),
    }
