"""`edit`, `delete` and `undelete`: what a person says of runs, and the trash."""

from __future__ import annotations

import argparse
from typing import Any

from runs import launch
from runs.clock import local_time
from runs.folder import RunFolder, RunNotFound, find_run, runs_dir
from runs.ownership import why_read_only
from runs.trash import Trashed, in_trash
from tui.cli_output import DONE, WrongRequest, say, say_json, say_table, warn


def edit(options: argparse.Namespace) -> int:
    """Change name, tags, note, group; pin and archive."""
    folders = _the_runs(options)
    if options.name is not None and (len(folders) > 1 or not options.name.strip()):
        raise WrongRequest("--name needs a name, and one run to give it to")
    changes: dict[str, Any] = {}
    if options.name is not None:
        changes["name"] = options.name.strip()
    for field in ("note", "group"):
        if getattr(options, field) is not None:
            changes[field] = getattr(options, field).strip()
    for field, yes, no in (
        ("pinned", options.pin, options.unpin),
        ("archived", options.archive, options.unarchive),
    ):
        if yes or no:
            changes[field] = bool(yes)
    added = [word for text in options.tag for word in text.replace(",", " ").split()]
    removed = {word for text in options.untag for word in text.replace(",", " ").split()}
    if not changes and not added and not removed:
        raise WrongRequest("nothing to change: give --name, --note, --group, --tag, --untag, --pin or --archive")
    for folder in folders:
        tags = dict.fromkeys((*folder.about().tags, *added))
        about = folder.change_about(**changes, tags=tuple(tag for tag in tags if tag not in removed))
        if options.json:
            say_json({"id": folder.id, "about": about})
        else:
            signs = " ".join((*(f"#{tag}" for tag in about.tags), *_flags(about.pinned, about.archived)))
            say(f"{about.name}  {signs}".rstrip() + (f"  {about.note}" if about.note else ""))
    return DONE


def delete(options: argparse.Namespace) -> int:
    """Move runs into the trash beside the runs."""
    for folder in _the_runs(options):
        name = folder.about().name
        try:
            trash = launch.delete_run(folder)
        except (launch.RunBusy, ValueError) as error:
            raise WrongRequest(str(error)) from None
        if options.json:
            say_json({"id": folder.id, "name": name, "trash": str(trash)})
        else:
            say(f"{name} is in the trash; `tinytrain-tui undelete {folder.id}` brings it back")
    return DONE


def undelete(options: argparse.Namespace) -> int:
    """Bring runs back from the trash, or list what is in it."""
    trashed = in_trash(runs_dir(options.runs_dir))
    if not options.runs:
        _say_trash(trashed, as_json=options.json)
        return DONE
    for one in [_the_trashed(trashed, reference) for reference in options.runs]:
        try:
            folder = launch.undelete_run(one.path)
        except (OSError, ValueError) as error:
            raise WrongRequest(str(error)) from None
        if options.json:
            say_json({"id": folder.id, "name": folder.about().name, "path": str(folder.path)})
        else:
            say(f"{folder.about().name} is back")
    return DONE


def _the_runs(options: argparse.Namespace) -> list[RunFolder]:
    """The runs that are named, all of them there and ours. Raises WrongRequest."""
    found: list[RunFolder] = []
    for reference in options.runs:
        try:
            folder = find_run(runs_dir(options.runs_dir), reference)
        except RunNotFound as error:
            raise WrongRequest(str(error)) from None
        if refusal := why_read_only(folder):
            raise WrongRequest(refusal)
        found.append(folder)
    return list(dict.fromkeys(found))


def _the_trashed(trashed: tuple[Trashed, ...], reference: str) -> Trashed:
    """By id, unique beginning, name, or `last`. Raises WrongRequest."""
    if reference == "last" and trashed:
        return trashed[0]
    exact = [one for one in trashed if one.path.name == reference]
    begins = [one for one in trashed if reference and one.path.name.startswith(reference)]
    named = [one for one in trashed if one.folder.about().name == reference]
    for matches in (exact, begins, named):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(one.path.name for one in matches[:5])
            raise WrongRequest(f"{reference!r} means {len(matches)} deleted runs: {ids}; say which by its id")
    raise WrongRequest(f"there is no deleted run {reference!r}; `tinytrain-tui undelete` lists them")


def _say_trash(trashed: tuple[Trashed, ...], *, as_json: bool) -> None:
    abouts = [(one, one.folder.about()) for one in trashed]
    if as_json:
        say_json(
            [{"id": o.path.name, "name": a.name, "deleted": o.deleted, "path": str(o.path)} for o, a in abouts]
        )
    elif abouts:
        rows = [(a.name, local_time(o.deleted, "%Y-%m-%d %H:%M"), o.path.name) for o, a in abouts]
        say_table([("name", "deleted", "id"), *rows])
    else:
        warn("the trash is empty")


def _flags(is_pinned: bool, is_archived: bool) -> tuple[str, ...]:
    return (*(("pinned",) if is_pinned else ()), *(("archived",) if is_archived else ()))
