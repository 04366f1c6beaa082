"""Datasets of the hub, downloaded and streamed by the real libraries from a hub on 127.0.0.1."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from engine.data.documents import DataError, SourceBroke
from engine.data.sources import open_documents
from engine.stopping import StopRequested
from presets.schema import DataConfig
from runs.hub import is_downloaded
from tests.fakes.hub import CONVERTED, LoopbackHub, without_waiting
from tests.fakes.hub_texts import passages, wikitext_rows

NAMED = [
    ("imdb", "", 42),
    ("wikitext", "wikitext-103-raw-v1", 6),
    ("wikipedia", "20231101.en", 42),
    ("openwebtext", "", 42),
    ("c4", "en", 42),
    ("pile-cc", "", 21),
    ("bookcorpus", "", 42),
]


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """Nobody watches."""


def hub_data(dataset: str, **values: Any) -> DataConfig:
    return DataConfig(source="hub", dataset=dataset, lowercase=False, **values)


def texts_of(data: DataConfig, first: int = 0) -> list[list[str]]:
    return list(open_documents(data, quiet).read(first))


@pytest.mark.parametrize("access", ["download", "stream"])
@pytest.mark.parametrize(("dataset", "configuration", "count"), NAMED)
def test_every_named_dataset_can_be_read(
    hub: LoopbackHub, dataset: str, configuration: str, count: int, access: str
) -> None:
    hub.add_reference_datasets(rows=42)
    documents = open_documents(hub_data(dataset, dataset_config=configuration, access=access), quiet)
    found = list(documents.read())
    assert len(found) == count
    assert documents.num_documents == (count if access == "download" else None)
    assert len(documents.commit) == 40
    assert found == list(documents.read()) and found[3:] == list(documents.read(3))
    if dataset not in ("wikitext", "pile-cc"):
        assert sorted(rows[0] for rows in found) == sorted(passages(42))


@pytest.mark.parametrize("access", ["download", "stream"])
@pytest.mark.parametrize("column", ["text", "body"])
def test_any_other_dataset_is_read_by_name_configuration_split_and_column(
    hub: LoopbackHub, access: str, column: str
) -> None:
    rows = passages(30)
    hub.add_dataset("someone/letters", {"old": {"train": ["no no no no no no"], "late": rows}}, column=column)
    data = hub_data(
        "someone/letters", dataset_config="old", split="late", text_column=column, access=access, shuffle=False
    )
    assert texts_of(data) == [[row] for row in rows]


def test_rows_of_a_document_stay_together_when_streamed_and_shuffled(hub: LoopbackHub) -> None:
    hub.add_dataset("Salesforce/wikitext", {"w": {"train": wikitext_rows(140)}}, num_files=3)
    data = hub_data("wikitext", dataset_config="w", min_words=0)
    stored = texts_of(data)
    streamed = texts_of(DataConfig(**{**as_dict(data), "access": "stream", "shuffle_buffer": 30}))
    assert len(stored) == 20
    assert sorted(streamed) == sorted(stored) and streamed != stored
    limited = DataConfig(**{**as_dict(data), "access": "stream", "max_samples": 15})
    assert all(rows in stored for rows in texts_of(limited)) and len(texts_of(limited)) == 3


def test_samples_are_drawn_by_the_seed_or_are_the_first_ones(hub: LoopbackHub) -> None:
    hub.add_reference_datasets(rows=60)
    every = [rows[0] for rows in texts_of(hub_data("imdb"))]
    for access in ("download", "stream"):
        first = texts_of(hub_data("imdb", access=access, max_samples=9, shuffle=False))
        assert [rows[0] for rows in first] == every[:9]
        drawn = texts_of(hub_data("imdb", access=access, max_samples=9))
        assert drawn == texts_of(hub_data("imdb", access=access, max_samples=9))
        other = texts_of(hub_data("imdb", access=access, max_samples=9, split_seed=7))
        assert len(drawn) == len(other) == 9 and drawn != other
        assert [rows[0] for rows in drawn] != every[:9]


def test_a_part_of_a_dataset_keeps_only_its_own_rows(hub: LoopbackHub) -> None:
    hub.add_reference_datasets(rows=40)
    part = texts_of(hub_data("pile-cc"))
    assert len(part) == 20 and len(texts_of(hub_data("monology/pile-uncopyrighted"))) == 40
    assert sorted(part) == sorted(texts_of(hub_data("pile-cc", access="stream")))


def test_a_revision_is_pinned_to_its_commit(hub: LoopbackHub) -> None:
    old = hub.add_dataset("someone/letters", {"default": {"train": passages(10)}})
    new = hub.add_dataset("someone/letters", {"default": {"train": passages(12, 90)}})
    assert open_documents(hub_data("someone/letters"), quiet).commit == new
    pinned = open_documents(hub_data("someone/letters", revision=old), quiet)
    assert pinned.commit == old and pinned.num_documents == 10


def test_no_script_runs_and_its_rows_come_from_the_converted_branch(hub: LoopbackHub) -> None:
    hub.add_reference_datasets(rows=20)
    documents = open_documents(hub_data("openwebtext", dataset_config="plain_text"), quiet)
    repository = hub.repositories["dataset", "Skylion007/openwebtext"]
    assert documents.commit == repository.branches[CONVERTED]
    assert documents.num_documents == 20
    del repository.branches[CONVERTED]
    with pytest.raises(DataError, match="made by a script, which is not run here"):
        open_documents(hub_data("openwebtext"), quiet)


def test_a_download_reports_its_bytes_and_is_not_repeated(hub: LoopbackHub) -> None:
    hub.add_reference_datasets(rows=200)
    told: list[tuple[str, int, int, str]] = []
    open_documents(hub_data("imdb"), lambda *what: told.append(what))
    counted = [(done, total) for phase, done, total, unit in told if unit == "bytes"]
    assert counted[-1][0] == counted[-1][1] == hub.bytes_sent
    assert [done for done, _ in counted] == sorted(done for done, _ in counted)
    sent = hub.bytes_sent
    assert open_documents(hub_data("imdb"), quiet).num_documents == 200
    assert hub.bytes_sent == sent


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dataset": "stanfordnlp/imbd"}, "no dataset 'stanfordnlp/imbd'.*close to it: stanfordnlp/imdb"),
        ({"dataset": "imdb", "dataset_config": "plane"}, "no configuration 'plane'; choose one of plain_text"),
        ({"dataset": "wikitext"}, "several configurations; choose one of wikitext-103-raw-v1"),
        ({"dataset": "imdb", "split": "dev"}, "no split 'dev'; its splits are train, test, unsupervised"),
        ({"dataset": "imdb", "text_column": "review"}, "no column 'review'; its columns are text, label"),
        (
            {"dataset": "imdb", "text_column": "review", "access": "stream"},
            "no column 'review'; its columns are text, label",
        ),
        ({"dataset": "imdb", "revision": "v7"}, "no revision 'v7'"),
        ({"dataset": "c4", "dataset_config": "en"}, "allenai/c4 needs a login"),
    ],
)
def test_what_is_wrong_is_named_with_what_there_is(hub: LoopbackHub, values: dict[str, Any], words: str) -> None:
    hub.add_reference_datasets(rows=8)
    hub.refuse("allenai/c4", "gated")
    with pytest.raises(DataError, match=words):
        open_documents(hub_data(**values), quiet)


@pytest.mark.parametrize("dataset", ["imdb", "pile-cc"])
def test_a_stream_that_is_cut_off_says_how_far_it_came_and_can_be_taken_up(
    hub: LoopbackHub, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_waiting(monkeypatch)
    hub.add_reference_datasets(rows=400, num_files=4)
    data = hub_data(dataset, access="stream", shuffle=False)
    every = texts_of(data)
    hub.cut_after(bytes=hub.bytes_sent // 2)
    documents = open_documents(data, quiet).read()
    got: list[list[str]] = []
    with pytest.raises(SourceBroke, match=r"broke off after [1-9]\d* rows: the hub at http.*cannot be reached"):
        for rows in documents:
            got.append(rows)
    assert 0 < len(got) < len(every) and got == every[: len(got)]
    hub.restore()
    assert got + texts_of(data, first=len(got)) == every


def test_a_download_that_is_cut_off_is_continued(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    without_waiting(monkeypatch)
    hub.add_reference_datasets(rows=400, num_files=4)
    hub.cut_after(bytes=100_000)
    with pytest.raises(DataError, match=r"stanfordnlp/imdb could not be read.*Start again to continue"):
        open_documents(hub_data("imdb"), quiet)
    hub.restore()
    assert open_documents(hub_data("imdb"), quiet).num_documents == 400
    files = hub.repositories["dataset", "stanfordnlp/imdb"].commits.popitem()[1]
    sizes = [len(content) for path, content in files.items() if path.endswith(".parquet")]
    assert hub.bytes_sent < sum(sizes) + max(sizes), "files that had arrived were fetched again"


def test_without_the_hub_the_copy_on_this_machine_is_used_and_never_another(hub: LoopbackHub) -> None:
    hub.add_reference_datasets(rows=21)
    here = open_documents(hub_data("wikitext", dataset_config="wikitext-103-raw-v1"), quiet)
    before = list(here.read())
    hub.cut_after(requests=0)
    again = open_documents(hub_data("wikitext", dataset_config="wikitext-103-raw-v1"), quiet)
    assert again.commit == here.commit and list(again.read()) == before
    for values in (
        {"dataset": "wikitext", "dataset_config": "wikitext-2-raw-v1"},
        {"dataset": "wikitext", "dataset_config": "wikitext-103-raw-v1", "revision": "a" * 40},
        {"dataset": "imdb"},
    ):
        with pytest.raises(DataError, match="the hub cannot be reached, and the dataset is not on this machine"):
            open_documents(hub_data(**values), quiet)
    with pytest.raises(DataError, match="a stream cannot be read without it"):
        open_documents(hub_data("wikitext", dataset_config="wikitext-103-raw-v1", access="stream"), quiet)


def test_a_stream_reads_no_further_than_its_samples(hub: LoopbackHub) -> None:
    hub.add_dataset("someone/letters", {"default": {"train": passages(400)}}, num_files=8)
    data = hub_data("someone/letters", access="stream", shuffle=False, max_samples=10)
    assert len(list(islice(open_documents(data, quiet).read(), 50))) == 10
    last = [path for _, path in hub.requests if "train-00007" in path]
    assert not last


def test_what_only_looked_at_a_dataset_is_no_download_of_it_and_a_prepared_copy_is(hub: LoopbackHub) -> None:
    hub.add_dataset("someone/LettersOfMINE2Read", {"default": {"train": passages(10)}})
    hub.add_file("dataset", "someone/LettersOfMINE2Read", "README.md", b"# Letters")
    data = hub_data("someone/LettersOfMINE2Read")
    open_documents(DataConfig(**{**as_dict(data), "access": "stream"}), quiet)
    assert not is_downloaded(data)
    documents = open_documents(data, quiet)
    assert is_downloaded(data)
    hub.cut_after(requests=0)
    assert open_documents(data, quiet).commit == documents.commit


def test_choosing_rows_reports_them_and_can_be_stopped(hub: LoopbackHub) -> None:
    hub.add_reference_datasets(rows=40)
    told: list[tuple[str, int, int, str]] = []
    data = hub_data("pile-cc")

    def stop(*what: Any) -> None:
        if what[0].startswith("choosing") and what[1]:
            raise StopRequested("stopped on request")

    with pytest.raises(StopRequested, match="stopped on request"):
        open_documents(data, stop)
    assert open_documents(data, lambda *what: told.append(what)).num_documents == 20
    assert ("choosing pile-cc rows", 40, 40, "rows") in told


def test_skipping_in_a_stream_is_reported_and_can_be_stopped(hub: LoopbackHub) -> None:
    hub.add_dataset("someone/letters", {"default": {"train": passages(300)}})
    told: list[tuple[str, int, int, str]] = []
    asked: list[str] = []

    def report(*what: Any) -> None:
        told.append(what)
        if asked:
            raise StopRequested(asked[0])

    documents = open_documents(hub_data("someone/letters", access="stream", shuffle=False), report)
    every = list(documents.read())
    told.clear()
    assert list(documents.read(250)) == every[250:] and list(documents.read(400)) == []
    skipped = [(done, total) for phase, done, total, _ in told if phase == "skipping what is cached"]
    assert skipped[:4] == [(0, 250), (100, 250), (200, 250), (250, 250)]
    asked.append("stopped on request")
    with pytest.raises(StopRequested, match="stopped on request"):
        next(documents.read(250))


@pytest.mark.parametrize("access", ["download", "stream"])
def test_a_stop_in_the_middle_of_the_library_is_a_stop(
    hub: LoopbackHub, access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_reference_datasets(rows=21)

    def interrupted(*_: Any, **__: Any) -> Any:
        try:
            raise StopRequested("stopped by SIGTERM")
        except StopRequested as request:
            raise OSError("the file cannot be read") from request

    documents = open_documents(hub_data("imdb", access="stream", shuffle=False), quiet)
    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.write_table", interrupted)
    monkeypatch.setattr("datasets.IterableDataset.__iter__", interrupted)
    with pytest.raises(StopRequested, match="stopped by SIGTERM"):
        if access == "stream":
            next(documents.read())
        else:
            open_documents(hub_data("imdb"), quiet)


def as_dict(data: DataConfig) -> dict[str, Any]:
    return {name: getattr(data, name) for name in DataConfig.__struct_fields__}
