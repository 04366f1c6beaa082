"""Where a dataset of the hub lies now: the commit its revision stands for, or the copy on this machine."""

from __future__ import annotations

from pathlib import Path

import datasets
import msgspec
from datasets.packaged_modules.cache.cache import Cache
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from engine.data.documents import DataError
from engine.data.sources.hub_problems import HTTPError, is_away, needs_login, not_there, reason
from presets.corpora import hub_id
from presets.schema import DataConfig
from runs.hub import prepared_folder

CONVERTED_BRANCH = "refs/convert/parquet"  # where the hub keeps every dataset's rows as parquet files
_TIMEOUT_S = 5.0


class Location(msgspec.Struct, frozen=True):
    """A dataset at one commit, and the branch or tag it was found under."""

    dataset: str
    branch: str
    commit: str


def locate(data: DataConfig) -> Location | None:
    """The commit that the revision stands for; None when the hub is away. Raises DataError.

    A dataset whose main branch is only a script, which nobody runs, is taken from the hub's own conversion of it.
    """
    dataset = hub_id(data.dataset)
    try:
        info = HfApi().dataset_info(dataset, revision=data.revision, timeout=_TIMEOUT_S)
        if info.gated:
            HfApi().auth_check(dataset, repo_type="dataset")
        script = f"{dataset.rpartition('/')[2]}.py"
        if data.revision != "main" or script not in {file.rfilename for file in info.siblings or ()}:
            return Location(dataset, data.revision, info.sha or "")
        try:
            info = HfApi().dataset_info(dataset, revision=CONVERTED_BRANCH, timeout=_TIMEOUT_S)
        except RevisionNotFoundError as error:
            raise DataError(
                f"{dataset} is made by a script, which is not run here, and the hub has no parquet files of it; "
                "choose another dataset"
            ) from error
        return Location(dataset, CONVERTED_BRANCH, info.sha or "")
    except GatedRepoError as error:
        raise needs_login(dataset, error) from error
    except RepositoryNotFoundError as error:
        raise not_there(dataset) from error
    except RevisionNotFoundError as error:
        raise DataError(f"{dataset} has no revision {data.revision!r}; main is its newest one") from error
    except (HFValidationError, OSError, HTTPError) as error:
        if is_away(error):
            return None
        raise DataError(f"{dataset} could not be found: {reason(error)}") from error


def prepared_copy(data: DataConfig) -> Cache | None:
    """The copy that `runs.hub.prepared_folder` finds, opened, or None."""
    folder = prepared_folder(data, Path(datasets.config.HF_DATASETS_CACHE).expanduser())
    if folder is None:
        return None
    dataset = hub_id(data.dataset)
    return Cache(
        repo_id=dataset,
        dataset_name=dataset.rpartition("/")[2],
        config_name=folder.parts[-3],
        version=folder.parts[-2],
        hash=folder.parts[-1],
    )
