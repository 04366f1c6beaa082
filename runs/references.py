"""Files and runs that a configuration names, in words that mean the same from any folder and at any later time."""

from __future__ import annotations

from pathlib import Path

import msgspec

from presets.schema import DataConfig, RunConfig
from runs.folder import find_run
from runs.token_caches import RUN_PREFIX


class MissingReference(ValueError):
    """A configuration names something that is not there."""


def with_lasting_references(config: RunConfig, runs: Path) -> RunConfig:
    """The same run with whole paths and ids of runs. runs: where `run:NAME` is looked for.

    Raises MissingReference when a file or run that is named is not there, so that nothing is started for it.
    """
    data = config.data
    if data.source == "files":
        data = msgspec.structs.replace(data, dataset=_whole_path("data.dataset", data.dataset))
    if data.tokenizer == "existing":
        data = msgspec.structs.replace(data, tokenizer_from=_lasting_tokenizer(data, runs))
    return msgspec.structs.replace(config, data=data)


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
