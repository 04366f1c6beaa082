"""`edit`: what a person says of runs."""

from __future__ import annotations

import argparse
from typing import Any

from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.cli_reference import the_runs


def edit(options: argparse.Namespace) -> int:
    """Change name, tags, note, group; pin and archive."""
    folders = the_runs(options)
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


def _flags(is_pinned: bool, is_archived: bool) -> tuple[str, ...]:
    return (*(("pinned",) if is_pinned else ()), *(("archived",) if is_archived else ()))
