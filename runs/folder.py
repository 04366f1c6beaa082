"""A run on disk: where everything of it stands, how it is made, found and described."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import platformdirs

from presets import config as configs
from presets import corpora, known
from presets.rules import Problem
from presets.schema import RunConfig
from runs.ownership import ReadOnlyRun, require_ours
from runs.run_names import made_up_name
from runs.safe_files import RUN_ID, folder_names, read_bytes, read_text
from runs.safe_files import write_atomically as write_atomically

_ATTEMPT = re.compile(r"\d{4}|[1-9]\d{4,8}", re.ASCII)
_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"  # in the order of ASCII, without what looks alike
_STAMP_LENGTH = len("20260101-000000")
_T = TypeVar("_T")


class RunNotFound(LookupError):
    """No run, or more than one, answers to what was asked for; the text says which."""


class About(msgspec.Struct, frozen=True):
    """What a person may edit of a run; preset says where its configuration came from. The name is data.

    group: a heading of one's own in the list. pinned: stands at the top. archived: is not listed unless asked for.
    sweep: id of the sweep that it belongs to. forked_from: run and checkpoint that it began with, as `ID@step-…`.
    dataset: as a list shows it; empty in runs that are older than this field, whose events tell it.
    """

    name: str
    preset: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    created: float = 0.0
    group: str = ""
    pinned: bool = False
    archived: bool = False
    sweep: str = ""
    forked_from: str = ""
    dataset: str = ""


@dataclass(frozen=True)
class RunFolder:
    """Names every place in a run's folder; holds nothing open."""

    path: Path

    @property
    def id(self) -> str:
        """The generated name of the folder."""
        return self.path.name

    @property
    def config_file(self) -> Path:
        return self.path / "config.toml"

    @property
    def about_file(self) -> Path:
        return self.path / "about.json"

    @property
    def launch_file(self) -> Path:
        return self.path / "launch.json"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def queue_file(self) -> Path:
        return self.path / "queue.json"

    @property
    def control_dir(self) -> Path:
        return self.path / "control"

    @property
    def checkpoints_dir(self) -> Path:
        return self.path / "checkpoints"

    @property
    def cache_dir(self) -> Path:
        return self.path / "cache"

    @property
    def supervisor_log(self) -> Path:
        return self.path / "supervisor.log"

    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts, first to last."""
        names = folder_names(self.path / "attempts")
        numbers = sorted(int(name) for name in names if _ATTEMPT.fullmatch(name))
        return tuple(self.attempt(number) for number in numbers)

    def attempt(self, number: int) -> Attempt:
        """The attempt of that number, whether or not it is there."""
        return Attempt(self.path / "attempts" / f"{number:04d}")

    def config(self) -> RunConfig:
        """The resolved configuration. Raises OSError or ConfigError."""
        return configs.from_toml(self.config_text())

    def config_text(self) -> str:
        """The configuration as it was written. Raises OSError, and ConfigError for what is no text."""
        try:
            return read_text(self.config_file)
        except UnicodeDecodeError as error:
            raise configs.ConfigError((Problem((), f"this is not UTF-8: {error}"),)) from None

    def about(self) -> About:
        """Name, tags and note; a missing or damaged file gives the id as the name."""
        return read_struct(self.about_file, About) or About(name=self.id)

    def write_about(self, about: About) -> None:
        """Replace name, tags and note atomically. Raises ReadOnlyRun for a run of another user, OSError."""
        require_ours(self)
        write_atomically(self.about_file, msgspec.json.format(msgspec.json.encode(about)))

    def change_about(self, **changes: str | bool | tuple[str, ...]) -> About:
        """Change some fields of `About` and keep what the file says of the others. Raises like `write_about`."""
        about = msgspec.structs.replace(self.about(), **changes)
        self.write_about(about)
        return about


@dataclass(frozen=True)
class Attempt:
    """One start or resume of a run."""

    path: Path

    @property
    def number(self) -> int:
        return int(self.path.name)

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def console_file(self) -> Path:
        return self.path / "console.log"

    @property
    def ranks_dir(self) -> Path:
        return self.path / "ranks"

    @property
    def outcome_file(self) -> Path:
        return self.path / "outcome.json"

    @property
    def error_file(self) -> Path:
        return self.path / "error.json"


def runs_dir(override: Path | None = None) -> Path:
    """Where all runs of this user are: the override, `$TINYTRAIN_RUNS`, or the platform's data folder."""
    if override is not None:
        return override.expanduser().resolve()
    from_environment = os.environ.get("TINYTRAIN_RUNS")
    if from_environment:
        return Path(from_environment).expanduser().resolve()
    return usual_runs_dir()


def usual_runs_dir() -> Path:
    """The platform's data folder, which holds the runs when nobody says otherwise."""
    return platformdirs.user_data_path("tinytrain-tui") / "runs"


def token_caches_dir() -> Path:
    """Where tokenised datasets are kept: `$TINYTRAIN_CACHE`, or the platform's cache folder."""
    from_environment = os.environ.get("TINYTRAIN_CACHE")
    base = (
        Path(from_environment).expanduser() if from_environment else platformdirs.user_cache_path("tinytrain-tui")
    )
    return base / "tokens"


def create_run(runs: Path, config: RunConfig, *, name: str = "", preset: str = "") -> RunFolder:
    """Make the folder of a new run, with its configuration; nothing is started.

    name: what people call it; made up when empty. Raises OSError, also where a file system gives every folder to
    another owner: what stands there could not be told from the runs of others, and nothing is left of the new one.
    """
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    slug = re.sub(r"[^a-z0-9._-]+", "-", preset.lower()).strip("-.")[:32] or "run"
    while True:
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        folder = RunFolder(runs / f"{stamp}-{slug}-{_suffix(now % 1.0)}")
        with contextlib.suppress(FileExistsError):
            folder.path.mkdir(mode=0o700)
            break
    try:
        require_ours(folder)
    except ReadOnlyRun as error:
        folder.path.rmdir()
        problem = f"no run can be made in {runs}, where a new folder is not one's own: {error}"
        raise PermissionError(f"{problem}; choose another folder for runs") from None
    for directory in (folder.path / "attempts", folder.control_dir, folder.checkpoints_dir, folder.cache_dir):
        directory.mkdir(mode=0o700)
    text = configs.to_toml(config)
    write_atomically(folder.config_file, text.encode())
    known.remember(text)
    dataset = corpora.label(config.data)
    folder.write_about(About(name.strip() or made_up_name(), preset, created=time.time(), dataset=dataset))
    return folder


def _suffix(fraction: float) -> str:
    """Four letters that grow within the second, so that runs made in one, as a sweep's are, keep their order."""
    high, low = divmod(int(fraction * len(_ALPHABET) ** 2), len(_ALPHABET))
    return _ALPHABET[high] + _ALPHABET[low] + secrets.choice(_ALPHABET) + secrets.choice(_ALPHABET)


def age_key(id: str) -> tuple[str, str]:
    """Orders runs' ids by when the runs were made: by the second, and the suffix within it."""
    return id[:_STAMP_LENGTH], id[-4:]


def all_runs(runs: Path) -> tuple[RunFolder, ...]:
    """Every run, newest first. Links and folders that are not runs are passed over."""
    try:
        entries = [e for e in os.scandir(runs) if e.is_dir(follow_symlinks=False) and RUN_ID.fullmatch(e.name)]
    except OSError:
        return ()
    entries.sort(key=lambda entry: age_key(entry.name), reverse=True)
    return tuple(RunFolder(Path(entry.path)) for entry in entries)


def find_run(runs: Path, reference: str) -> RunFolder:
    """The run with that id, a unique beginning of one, a name, or `last`. Raises RunNotFound."""
    folders = all_runs(runs)
    if not folders:
        raise RunNotFound(f"there are no runs in {runs}")
    if reference == "last":
        return folders[0]
    exact = [folder for folder in folders if folder.id == reference]
    begins = [folder for folder in folders if reference and folder.id.startswith(reference)]
    named = [folder for folder in folders if folder.about().name == reference]
    for matches in (exact, begins, named):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(folder.id for folder in matches[:5])
            raise RunNotFound(f"{reference!r} means {len(matches)} runs: {ids}; say which by its id")
    raise RunNotFound(f"there is no run {reference!r} in {runs}")


def read_struct(path: Path, kind: type[_T]) -> _T | None:
    """A small JSON file as a struct; None when it is missing, damaged, too large, a link, or no file at all."""
    try:
        return msgspec.json.decode(read_bytes(path), type=kind)
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return None
