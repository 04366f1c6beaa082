"""Downloads the files of a dataset with progress in bytes, then has `datasets` prepare them."""

from __future__ import annotations

from typing import Any

import datasets
from huggingface_hub import HfApi, hf_hub_download
from tqdm import tqdm

from engine.data.documents import Report
from engine.data.sources.hub_location import Location
from engine.data.sources.row_progress import rows_reported

_PATHS_AT_ONCE = 500


def download(builder: datasets.DatasetBuilder, location: Location, name: str, report: Report) -> None:
    """Bring the dataset to this disk; what is there already is not fetched again.

    Raises OSError and the libraries' errors. Files that are half there are continued by the next call.
    """
    prefix = f"hf://datasets/{location.dataset}@{location.commit}/"
    urls = [str(url) for files in (builder.config.data_files or {}).values() for url in files]
    paths = [url.removeprefix(prefix) for url in urls if url.startswith(prefix)]
    if not _is_prepared(builder):
        sizes = _sizes(location, paths)
        total, done = sum(sizes.values()), 0
        for path in paths:
            bar = _bar(f"downloading {name}", done, total, report)
            hf_hub_download(location.dataset, path, repo_type="dataset", revision=location.commit, tqdm_class=bar)
            done += sizes.get(path, 0)
            report(f"downloading {name}", done, total, "bytes")
        report(f"preparing {name}", 0, 0, "rows")
    with rows_reported(f"preparing {name}", report):
        builder.download_and_prepare()


def _is_prepared(builder: datasets.DatasetBuilder) -> bool:
    return bool(builder.info.splits) and bool(builder.info.download_checksums is not None)


def _sizes(location: Location, paths: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for first in range(0, len(paths), _PATHS_AT_ONCE):
        entries = HfApi().get_paths_info(
            location.dataset, paths[first : first + _PATHS_AT_ONCE], revision=location.commit, repo_type="dataset"
        )
        found.update({entry.path: getattr(entry, "size", 0) for entry in entries})
    return found


def _bar(phase: str, before: int, total: int, report: Report) -> type[tqdm[Any]]:
    """A progress bar that draws nothing and reports instead."""

    class Reported(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.received = int(kwargs.get("initial") or 0)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.received += int(n or 0)
            report(phase, before + self.received, total, "bytes")
            return None

    return Reported
