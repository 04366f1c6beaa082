"""Whether a run's data can be had: asked of a real server on this machine, and of real cache folders."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from presets import config as configs
from presets.catalog import find_preset
from presets.corpora import token_cache_key
from presets.schema import RunConfig
from runs.folder import token_caches_dir
from runs.hub import hub_status

IMDB = find_preset("v1-imdb-small").config
WIKITEXT = find_preset("v2-hf-medium").config
C4 = configs.with_values(IMDB, {"data.dataset": "c4", "data.dataset_config": "en"})


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers HEAD with what the test set."""

    code = 200
    asked: list[str] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.code)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(Hub, "code", 200)
    monkeypatch.setattr(Hub, "asked", [])
    yield Hub
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_embedded_corpus_needs_no_hub(hub: type[Hub]) -> None:
    status = hub_status(RunConfig())
    assert not status.needed and not status.is_in_the_way and hub.asked == []
    assert status.sentence == "addresses ships with the program"


def test_a_hub_that_answers_is_reachable(hub: type[Hub]) -> None:
    status = hub_status(IMDB)
    assert (status.needed, status.reachable, status.cached) == (True, True, False)
    assert status.sentence == "stanfordnlp/imdb comes from 127.0.0.1 (84 MB), which can be reached"
    assert hub.asked == ["/api/datasets/stanfordnlp/imdb"]


@pytest.mark.parametrize(
    ("code", "reachable", "words"),
    [(404, False, "knows no such dataset"), (401, True, "wants a login"), (500, False, "error 500")],
)
def test_what_the_hub_refuses_is_said(hub: type[Hub], code: int, reachable: bool, words: str) -> None:
    hub.code = code
    status = hub_status(IMDB)
    assert status.reachable is reachable and words in status.sentence


def test_without_a_network_and_a_cache_the_run_cannot_have_its_data() -> None:
    status = hub_status(IMDB)
    assert not status.reachable and not status.cached and status.is_in_the_way
    assert "cannot be reached" in status.sentence and status.sentence.endswith("and nothing is cached")


def test_a_server_that_never_answers_does_not_hold_one_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        status = hub_status(IMDB)
    assert not status.reachable
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("endpoint", ["file:///etc", "nonsense", "http://[::1", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_no_address_is_said_and_not_opened(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert hub_status(IMDB).is_in_the_way


def test_offline_mode_is_respected_and_named(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    status = hub_status(IMDB)
    assert not status.reachable and "HF_HUB_OFFLINE is set" in status.sentence and hub.asked == []


def test_a_token_cache_counts_once_it_is_complete() -> None:
    folder = token_caches_dir() / token_cache_key(IMDB.data)
    folder.mkdir(parents=True)
    assert not hub_status(IMDB).cached
    (folder / "manifest.json").write_text("{}")
    status = hub_status(IMDB)
    assert status.cached and not status.is_in_the_way
    assert status.sentence.endswith("and is cached on this machine")


PREPARED = "datasets/stanfordnlp___imdb/plain_text/0.0.0/abc"


def put(path: str, *names: str) -> None:
    """Files in Hugging Face's own caches."""
    folder = Path(os.environ["HF_HOME"]) / path
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("x")


@pytest.mark.parametrize(
    ("config", "path"),
    [(IMDB, PREPARED), (WIKITEXT, "datasets/Salesforce___wikitext/wikitext-103-raw-v1/0.0.0/abc")],
)
def test_a_copy_that_datasets_prepared_counts(config: RunConfig, path: str) -> None:
    put(path)
    assert not hub_status(config).cached
    put(f"{path}2", "dataset_info.json", "rows-train.arrow")
    assert hub_status(config).cached


@pytest.mark.parametrize(
    ("config", "path", "names"),
    [
        (C4, "hub/datasets--allenai--c4/snapshots/abc", ("README.md", ".gitattributes")),
        (C4, "hub/datasets--allenai--c4/snapshots/abc/en", ("c4-train.00000-of-01024.json.gz",)),
        (IMDB, "hub/datasets--stanfordnlp--imdb/snapshots/abc/plain_text", ("train.parquet",)),
        (IMDB, PREPARED, ("dataset_info.json",)),
        (IMDB, PREPARED, ("imdb-train.arrow",)),
        (IMDB, f"{PREPARED}.incomplete", ("dataset_info.json", "imdb-train.arrow")),
        (WIKITEXT, "datasets/Salesforce___wikitext/wikitext-2-raw-v1/0.0.0/a", ("dataset_info.json", "x.arrow")),
    ],
)
def test_what_cannot_be_opened_without_the_hub_does_not_count(
    config: RunConfig, path: str, names: tuple[str, ...]
) -> None:
    put(path, *names)
    status = hub_status(config)
    assert not status.cached and status.sentence.endswith("and nothing is cached")


def test_a_bare_name_is_asked_for_by_its_full_one(hub: type[Hub]) -> None:
    status = hub_status(configs.with_values(IMDB, {"data.dataset": "imdb"}))
    assert hub.asked == ["/api/datasets/stanfordnlp/imdb"]
    assert status.sentence.startswith("stanfordnlp/imdb comes from 127.0.0.1 (84 MB)")


@pytest.mark.parametrize(
    ("source", "dataset", "words"),
    [("files", "~/a.txt", "is on this machine"), ("synthetic", "markov", "is made by")],
)
def test_what_is_here_needs_no_hub(hub: type[Hub], source: str, dataset: str, words: str) -> None:
    status = hub_status(configs.with_values(IMDB, {"data.source": source, "data.dataset": dataset}))
    assert not status.needed and words in status.sentence and hub.asked == []


def test_a_downloaded_copy_is_no_stream(hub: type[Hub]) -> None:
    put(PREPARED, "dataset_info.json", "imdb-train.arrow")
    assert hub_status(IMDB).cached
    assert not hub_status(configs.with_values(IMDB, {"data.access": "stream"})).cached
