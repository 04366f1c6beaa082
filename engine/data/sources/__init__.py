"""Where text comes from: opens the source that the data settings name, never another one."""

from __future__ import annotations

from engine.data.documents import DataError, Documents, Report
from presets.schema import DataConfig


def open_documents(data: DataConfig, report: Report, commit: str = "", *, labelled: bool = False) -> Documents:
    """The documents that the data settings name. Raises DataError, never opens another dataset.

    commit: of a hub dataset, where it has to be that one whatever its revision stands for now.
    labelled: each row comes with a label from `data.label_column`; rows without one are left out.
    """
    if labelled and data.source not in ("hub", "files"):
        raise DataError(f"{data.dataset!r} has no labels; choose a dataset of the hub, or a table of yours")
    if data.source == "embedded":
        from engine.data.sources.embedded import open_embedded

        return open_embedded(data)
    if data.source == "synthetic":
        from engine.data.synthetic import open_grammar

        return open_grammar(data)
    if data.source == "files":
        from engine.data.sources.files import open_files

        return open_files(data, report, labelled=labelled)
    from engine.data.sources.hub import open_hub

    return open_hub(data, report, commit, labelled=labelled)
