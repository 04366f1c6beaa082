"""Files and runs that a configuration names, in words that mean the same from any folder and at any later time."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from presets.config import Change, ConfigError, check, diff, from_toml
from presets.schema import DataConfig, RunConfig
from runs.checkpoint_names import POINTERS, called
from runs.folder import RunFolder, find_run
from runs.safe_files import folder_names, is_file, read_text
from runs.token_caches import RUN_PREFIX

_CHECKPOINT = re.compile(r"(?P<run>.+)@(?P<checkpoint>last|best|\d+|step-\d{8,})")
_OF_THE_NEW_RUN = ("dropout", "attention_dropout", "embedding_dropout")  # the rest of a model is its weights'


class MissingReference(ValueError):
    """A configuration names something that is not there, or does not go with it."""


def with_lasting_references(config: RunConfig, runs: Path) -> RunConfig:
    """The same run with whole paths and ids of runs. runs: where `run:NAME` is looked for.

    A run that starts from another one's weights takes its model and its tokenizer, see `_started_from`.
    Raises MissingReference when a file or run that is named is not there, so that nothing is started for it.
    """
    if config.model.start_from:
        config = _started_from(config, runs)
    data = config.data
    if data.source == "files":
        data = msgspec.structs.replace(data, dataset=_whole_path("data.dataset", data.dataset))
    if data.tokenizer == "existing":
        data = msgspec.structs.replace(data, tokenizer_from=_lasting_tokenizer(data, runs))
    return msgspec.structs.replace(config, data=data)


def split_reference(reference: str) -> tuple[str, str]:
    """The run and the checkpoint in `run:NAME@CHECKPOINT`; the last one where none is named."""
    name = reference.removeprefix(RUN_PREFIX)
    match = _CHECKPOINT.fullmatch(name)
    return (match["run"], match["checkpoint"]) if match else (name, "last")


def taken_over(asked: RunConfig, found: RunConfig) -> tuple[Change, ...]:
    """What a run that starts from another one's weights takes from it instead of what was asked for.

    found: `asked` with its references resolved. Where a dataset lies is no such thing.
    """
    if not asked.model.start_from:
        return ()
    names = ("data.tokenizer", "data.tokenizer_from", "data.sequence_length", "data.lowercase", "data.vocab_size")
    return tuple(
        change
        for change in diff(asked, found)
        if change.path in names or (change.path.startswith("model.") and change.path != "model.start_from")
    )


def _started_from(config: RunConfig, runs: Path) -> RunConfig:
    """The run with the model, the tokenizer and the lower-casing of the checkpoint that it starts from.

    Dropout and what is learned are the new run's own; sequences are at most as long as the checkpoint's. Pairs of
    texts add segments where it has none. The checkpoint is named by the run's id and its step, so that it is the
    same one later. A grammar keeps its own vocabulary, which the engine compares.
    """
    folder, checkpoint = _checkpoint(config.model.start_from, runs)
    try:
        theirs = from_toml(read_text(folder.checkpoints_dir / checkpoint / "config.toml"))
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise MissingReference(f"model.start_from: {checkpoint} of {folder.id} cannot be read: {error}") from None
    pairs = config.objective.kind in ("nsp", "sop")
    model = msgspec.structs.replace(
        theirs.model,
        start_from=f"{RUN_PREFIX}{folder.id}@{checkpoint}",
        segments=max(theirs.model.segments, 2) if pairs else theirs.model.segments,
        **{name: getattr(config.model, name) for name in _OF_THE_NEW_RUN},
    )
    data = msgspec.structs.replace(
        config.data,
        lowercase=theirs.data.lowercase,
        sequence_length=min(config.data.sequence_length, theirs.data.sequence_length),
        vocab_size=theirs.data.vocab_size,
    )
    if data.source != "synthetic":
        data = msgspec.structs.replace(data, tokenizer="existing", tokenizer_from=f"{RUN_PREFIX}{folder.id}")
    started = msgspec.structs.replace(config, model=model, data=data)
    problems = check(started)
    if problems:
        said = "; ".join(str(problem) for problem in problems)
        raise MissingReference(
            f"model.start_from: with the model of {folder.about().name} this cannot run: {said}"
        )
    return started


def _checkpoint(reference: str, runs: Path) -> tuple[RunFolder, str]:
    """The run, and the name of its checkpoint that is meant. Raises MissingReference."""
    name, wanted = split_reference(reference)
    try:
        folder = find_run(runs, name)
    except LookupError as error:
        raise MissingReference(f"model.start_from: {error.args[0]}") from None
    checkpoint = called(folder.checkpoints_dir, wanted)
    if not checkpoint and wanted in POINTERS:
        is_there = is_file(folder.checkpoints_dir / wanted)
        why = f"; its file checkpoints/{wanted} holds no checkpoint's name" if is_there else " yet"
        raise MissingReference(f"model.start_from: {folder.about().name} has no {wanted} checkpoint{why}")
    if not checkpoint:
        said = f"{wanted[:40]!r} is no checkpoint's name; there are step-00001000 and its like"
        raise MissingReference(f"model.start_from: {folder.about().name}: {said}")
    if not is_file(folder.checkpoints_dir / checkpoint / "manifest.json"):
        names = folder_names(folder.checkpoints_dir)
        there = sorted(name for name in names if is_file(folder.checkpoints_dir / name / "manifest.json"))
        has = f"it has {', '.join(there)}" if there else "it has none"
        raise MissingReference(f"model.start_from: {folder.about().name} has no checkpoint {checkpoint}; {has}")
    return folder, checkpoint


def _lasting_tokenizer(data: DataConfig, runs: Path) -> str:
    reference = data.tokenizer_from
    if reference.startswith(RUN_PREFIX):
        try:
            return RUN_PREFIX + find_run(runs, reference.removeprefix(RUN_PREFIX)).id
        except LookupError as error:
            raise MissingReference(f"data.tokenizer_from: {error.args[0]}") from None
    if reference.endswith(".json") or Path(reference).expanduser().is_file():
        return _whole_path("data.tokenizer_from", reference)
    return reference


def _whole_path(field: str, reference: str) -> str:
    path = Path(reference).expanduser().absolute()
    if not path.exists():
        raise MissingReference(f"{field}: there is no file or folder {path}")
    return str(path)
