"""`presets save, duplicate, rename, delete, undelete, export, import`: presets of one's own, kept as files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from presets import catalog, keeping
from presets.catalog import Preset
from presets.config import ConfigError, describe
from presets.fields import format_value
from runs.folder import RunFolder, RunNotFound, find_run, runs_dir
from tui.cli_output import DONE, WrongRequest, say, say_json, warn


def keep(options: argparse.Namespace) -> int:
    """Do what `options.action` says with the presets in `options.names`."""
    actions: dict[str, tuple[Callable[[argparse.Namespace], str], int, int, str]] = {
        "save": (_save, 2, 2, "save NAME PRESET|FILE.toml|RUN"),
        "duplicate": (_duplicate, 2, 2, "duplicate NAME NEW"),
        "rename": (_rename, 1, 2, "rename NAME NEW"),
        "delete": (_delete, 1, 1, "delete NAME"),
        "undelete": (_undelete, 0, 1, "undelete [NAME]"),
        "export": (_export, 2, 2, "export NAME FILE"),
        "import": (_import, 1, 1, "import FILE"),
    }
    act, least, most, usage = actions[options.action]
    if not least <= len(options.names) <= most:
        raise WrongRequest(f"say it so: tinytrain-tui presets {usage}")
    try:
        said = act(options)
    except FileExistsError as error:
        raise WrongRequest(f"{error}; --replace replaces it") from None
    except ConfigError as error:
        raise WrongRequest("; ".join(str(problem) for problem in error.problems)) from None
    except OSError as error:
        said = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
        raise WrongRequest(said) from None
    except ValueError as error:
        raise WrongRequest(str(error)) from None
    if options.json:
        say_json({"action": options.action, "result": said})
    else:
        say(said)
    return DONE


def _find(name: str) -> Preset:
    """A person's own preset of that name before a shipped one. Raises WrongRequest."""
    try:
        return catalog.find_preset(name)
    except KeyError as error:
        raise WrongRequest(str(error.args[0])) from None


def _save(options: argparse.Namespace) -> str:
    """From a preset, a file or a run, with what `--set` says; what somebody else wrote is shown first."""
    from tui.cli_plan import changed
    from tui.cli_train import read
    from tui.cli_trust import heed_preset, heed_run

    name, of = options.names
    folder = _run_called(of, options)
    if folder is not None:
        heed_run(folder, options)
        config = folder.config()
    else:
        preset = read(of)
        heed_preset(preset, options)
        config = preset.config
    path = catalog.save_preset(name, changed(config, options.set), options.summary or "", options.replace)
    return str(path)


def _run_called(name: str, options: argparse.Namespace) -> RunFolder | None:
    """The run that is meant; a preset's name goes before a run's, as in `train`."""
    if name.endswith(".toml") or "/" in name or any(preset.name == name for preset in catalog.all_presets()):
        return None
    try:
        return find_run(runs_dir(options.runs_dir), name)
    except RunNotFound:
        return None


def _duplicate(options: argparse.Namespace) -> str:
    return str(keeping.duplicate(_find(options.names[0]), options.names[1], options.replace))


def _rename(options: argparse.Namespace) -> str:
    preset = _find(options.names[0])
    if len(options.names) == 1 and options.summary is None:
        raise WrongRequest("say what shall be otherwise: rename NAME NEW, or rename NAME --summary TEXT")
    summary = preset.summary if options.summary is None else options.summary
    return str(keeping.edit(preset, options.names[-1], summary, options.replace))


def _delete(options: argparse.Namespace) -> str:
    deleted = keeping.delete(_find(options.names[0]))
    return f"{deleted.name} is deleted; `tinytrain-tui presets undelete {deleted.name}` brings it back"


def _undelete(options: argparse.Namespace) -> str:
    wanted = options.names[0] if options.names else ""
    found = [one for one in keeping.deleted_presets() if wanted in ("", one.name)]
    if not found:
        raise WrongRequest(f"no preset {wanted} was deleted" if wanted else "no preset was deleted")
    return str(keeping.undelete(found[0]))


def _export(options: argparse.Namespace) -> str:
    return str(keeping.export(_find(options.names[0]), Path(options.names[1]), options.replace))


def _import(options: argparse.Namespace) -> str:
    """Show what the file sets, and take it once somebody has said yes to that."""
    looked_at = keeping.look_at(Path(options.names[0]), catalog.own_presets()[0], options.name)
    name = looked_at.preset.name
    replaces = looked_at.replaced is not None
    if looked_at.is_compared:
        warn(f"there is a preset {name}; this one differs from it in {len(looked_at.differences)} fields:")
        for change in looked_at.differences:
            warn(f"  {describe(change)}")
    else:
        warn(f"otherwise than the defaults this preset sets {len(looked_at.changes)} fields:")
        for change in looked_at.changes:
            warn(f"  {change.path} = {format_value(change.after)}")
    if replaces and not options.replace:
        raise FileExistsError(f"there is already a preset {name}; nothing was imported")
    if not options.yes:
        raise WrongRequest("nothing was imported: look at it, then give --yes to take it")
    return str(keeping.take(looked_at))
