"""A Hugging Face hub on 127.0.0.1: small datasets under the real names, for the real `datasets` to read.

    with LoopbackHub() as hub:
        hub.add_reference_datasets(rows=200)
        hub.add_dataset("someone/letters", {"default": {"train": ["a text", "another"]}})

The fixture `hub` of tests/conftest.py starts one and points this process and its children at it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes.hub_texts import REFERENCE_DATASETS

Rows = Sequence[str | Mapping[str, Any]]
CONVERTED = "refs/convert/parquet"
_ROUTE = re.compile(
    r"/(?P<api>api/)?(?P<kind>datasets/|models/|)(?P<repo>[^/]+/[^/]+)"
    r"(?:/(?P<verb>resolve|revision|tree|paths-info|refs|auth-check)(?:/(?P<rest>.*))?)?$"
)


@dataclass
class Repository:
    """Branches of one repository; each is a commit with its files."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refusal: str = ""

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        """Make the files the newest commit of a branch; its hash follows from them."""
        digest = hashlib.sha1(branch.encode(), usedforsecurity=False)
        for path in sorted(files):
            digest.update(path.encode() + b"\0" + files[path])
        sha = digest.hexdigest()
        self.branches[branch] = sha
        self.commits[sha] = files
        return sha


class LoopbackHub:
    """The server; add datasets before or while it runs. Everything it did can be looked at.

    requests: (method, path) of everything that was asked. bytes_sent: of data files.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self.bytes_sent = 0
        self._bytes_left: int | None = None
        self._requests_left: int | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add_dataset(
        self,
        name: str,
        configs: Mapping[str, Mapping[str, Rows]],
        *,
        num_files: int = 2,
        column: str = "text",
        layout: str = "parquet",
        branch: str = "main",
        rows_per_group: int = 20,
    ) -> str:
        """Serve rows (texts, or mappings of columns) as configurations of splits; returns the commit.

        layout: parquet, json.gz or jsonl.zst files, or `script`: a branch main that is only a script, and the
        rows on refs/convert/parquet. rows_per_group: of a parquet row group, the least that is read at once.
        """
        files: dict[str, bytes] = {}
        suffix = "parquet" if layout == "script" else layout
        for config, splits in configs.items():
            for split, rows in splits.items():
                table = [{column: row} if isinstance(row, str) else dict(row) for row in rows]
                for number, part in enumerate(_parts(table, num_files)):
                    path = f"{config}/{split}-{number:05d}-of-{num_files:05d}.{suffix}"
                    if layout == "script":
                        path = f"{config}/{split}/{number:04d}.parquet"
                    files[path] = _ENCODERS[suffix](part, rows_per_group)
        repository = self.repositories.setdefault(("dataset", name), Repository())
        if layout == "script":
            script = f"{name.rpartition('/')[2]}.py"
            readme = b"---\nlicense: unknown\n---\n# A dataset made by a script\n"
            repository.commit("main", {"README.md": readme, script: b"raise SystemExit('never run')\n"})
            return repository.commit(CONVERTED, files)
        readme = _readme({config: list(splits) for config, splits in configs.items()}, suffix)
        return repository.commit(branch, {"README.md": readme, **files})

    def add_reference_datasets(self, rows: int = 200, num_files: int = 2) -> None:
        """All datasets that the reference systems name, each with about so many rows of real English."""
        for name, (layout, make) in REFERENCE_DATASETS.items():
            self.add_dataset(name, make(rows), num_files=num_files, layout=layout)

    def add_file(self, kind: str, name: str, path: str, content: bytes, branch: str = "main") -> str:
        """Add one file to a repository (kind: dataset or model), in a new commit; returns the commit."""
        repository = self.repositories.setdefault((kind, name), Repository())
        before = repository.commits.get(repository.branches.get(branch, ""), {})
        return repository.commit(branch, {**before, path: content})

    def refuse(self, name: str, reason: str = "gated") -> None:
        """Answer everything about a dataset as the hub does for one that is `gated` or `private`."""
        self.repositories[("dataset", name)].refusal = reason

    def cut_after(self, bytes: int | None = None, requests: int | None = None) -> None:
        """From then on: after so many bytes of data files, or so many requests, every connection is cut off."""
        with self._lock:
            self._bytes_left, self._requests_left = bytes, requests

    def restore(self) -> None:
        """Answer everything again."""
        self.cut_after()

    def count(self, fragment: str) -> int:
        """How many requests had this in their path."""
        return sum(fragment in path for _, path in self.requests)

    def admit(self, method: str, path: str) -> bool:
        """Note a request; False when it is to be cut off."""
        with self._lock:
            self.requests.append((method, path))
            if self._bytes_left == 0:
                return False
            if self._requests_left is not None:
                self._requests_left -= 1
                return self._requests_left >= 0
            return True

    def allowance(self, wanted: int) -> int:
        """How many of these bytes of a data file may be sent."""
        with self._lock:
            granted = wanted if self._bytes_left is None else min(wanted, self._bytes_left)
            if self._bytes_left is not None:
                self._bytes_left -= granted
            self.bytes_sent += granted
            return granted


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LoopbackHub

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: stderr belongs to the test."""

    def do_HEAD(self) -> None:
        """Headers of a file."""
        self._answer()

    def do_GET(self) -> None:
        """Files, listings and facts."""
        self._answer()

    def do_POST(self) -> None:
        """`paths-info`: facts on several paths."""
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        posted = self.rfile.read(length)
        if not self.hub.admit(self.command, self.path):
            self._cut()
            return
        split = urllib.parse.urlsplit(self.path)
        if split.path == "/api/datasets":
            self._search(urllib.parse.parse_qs(split.query).get("search", [""])[0])
            return
        match = _ROUTE.match(split.path)
        kind = "dataset" if match and match["kind"] == "datasets/" else "model"
        repository = self.hub.repositories.get((kind, match["repo"])) if match else None
        if match is None or repository is None or repository.refusal == "private":
            self._error(401, "RepoNotFound", "Repository not found")
        elif repository.refusal == "gated" and match["verb"] in ("resolve", "auth-check"):
            self._error(401, "GatedRepo", "Access to this dataset is restricted")
        else:
            self._repository(kind, match, repository, split.query, posted)

    def _repository(
        self, kind: str, match: re.Match[str], repository: Repository, query: str, posted: bytes
    ) -> None:
        name, verb, rest = match["repo"], match["verb"], match["rest"] or ""
        if verb == "auth-check":
            self._json({})
            return
        if verb == "refs":
            self._json({"branches": [], "converts": [], "tags": []})
            return
        quoted, _, quoted_path = rest.partition("/")
        revision = urllib.parse.unquote(quoted) or "main"
        path = urllib.parse.unquote(quoted_path)
        sha = repository.branches.get(revision, revision)
        files = repository.commits.get(sha)
        if files is None:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif verb == "resolve":
            self._file(sha, files, path)
        elif verb == "tree":
            recursive = urllib.parse.parse_qs(query).get("recursive", [""])[0].lower() == "true"
            self._tree(files, path, recursive)
        elif verb == "paths-info":
            self._paths_info(files, posted)
        else:
            siblings = [{"rfilename": path} for path in sorted(files)]
            gated = "auto" if repository.refusal == "gated" else False
            facts = {"id": name, "sha": sha, "private": False, "gated": gated, "siblings": siblings}
            self._json({**facts, "tags": [], "downloads": 0, "likes": 0, "disabled": False})

    def _file(self, sha: str, files: dict[str, bytes], path: str) -> None:
        content = files.get(path)
        if content is None:
            self._error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
            return
        first, end, status = 0, len(content), 200
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            status = 206
            first = int(wanted[1]) if wanted[1] else max(0, len(content) - int(wanted[2]))
            if wanted[1] and wanted[2]:
                end = min(end, int(wanted[2]) + 1)
        if wanted and first >= len(content):
            self._error(416, "RangeNotSatisfiable", "Range not satisfiable")
            return
        etag = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
        self._headers(status, end - first, "application/octet-stream", headers)
        if self.command == "HEAD":
            return
        is_data = not path.endswith((".md", ".py"))
        granted = self.hub.allowance(end - first) if is_data else end - first
        self.wfile.write(content[first : first + granted])
        if granted < end - first:
            self._cut()

    def _tree(self, files: dict[str, bytes], folder: str, recursive: bool) -> None:
        prefix = f"{folder}/" if folder else ""
        below = [path for path in sorted(files) if path.startswith(prefix)]
        if folder and not below:
            self._error(404, "EntryNotFound", f"{folder} does not exist")
            return
        entries: dict[str, dict[str, Any]] = {}
        for path in below:
            parts = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parts)):
                if recursive or depth == 1:
                    name = prefix + "/".join(parts[:depth])
                    entries[name] = {"type": "directory", "oid": _oid(name.encode()), "size": 0, "path": name}
            if recursive or len(parts) == 1:
                entries[path] = _file_entry(path, files[path])
        self._json(list(entries.values()))

    def _paths_info(self, files: dict[str, bytes], posted: bytes) -> None:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            wanted = json.loads(posted)["paths"]
        else:
            wanted = urllib.parse.parse_qs(posted.decode()).get("paths", [])
        entries: list[dict[str, Any]] = []
        for path in [wanted] if isinstance(wanted, str) else wanted:
            if path in files:
                entries.append(_file_entry(path, files[path]))
            elif any(other.startswith(f"{path}/") for other in files):
                entries.append({"type": "directory", "oid": _oid(path.encode()), "size": 0, "path": path})
        self._json(entries)

    def _search(self, words: str) -> None:
        names = [
            name for kind, name in self.hub.repositories if kind == "dataset" and words.lower() in name.lower()
        ]
        self._json([{"id": name, "sha": "0" * 40, "private": False, "tags": []} for name in sorted(names)])

    def _json(self, value: object) -> None:
        content = json.dumps(value).encode()
        self._headers(200, len(content), "application/json", {})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        content = json.dumps({"error": message}).encode()
        said = {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}
        self._headers(status, len(content), "application/json", said)
        if self.command != "HEAD":
            self.wfile.write(content)

    def _headers(self, status: int, length: int, content_type: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _cut(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()


def _parts(rows: list[dict[str, Any]], num_parts: int) -> Iterator[list[dict[str, Any]]]:
    size = max(1, -(-len(rows) // num_parts))
    for first in range(0, max(1, len(rows)), size):
        yield rows[first : first + size]


def _as_parquet(rows: list[dict[str, Any]], rows_per_group: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=rows_per_group)
    return sink.getvalue()


def _as_json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _as_gzip(rows: list[dict[str, Any]], _: int) -> bytes:
    return gzip.compress(_as_json_lines(rows), mtime=0)


def _as_zstd(rows: list[dict[str, Any]], _: int) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(_as_json_lines(rows))
    content: bytes = sink.getvalue().to_pybytes()
    return content


_ENCODERS: dict[str, Callable[[list[dict[str, Any]], int], bytes]] = {
    "parquet": _as_parquet,
    "json.gz": _as_gzip,
    "jsonl.zst": _as_zstd,
}


def _readme(configs: Mapping[str, Sequence[str]], suffix: str) -> bytes:
    lines = ["---", "configs:"]
    for config, splits in configs.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {split}", f"    path: {config}/{split}-*.{suffix}"]
    return "\n".join([*lines, "---", "# A small dataset", ""]).encode()


def _file_entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "oid": _oid(content), "size": len(content), "path": path}


def _oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def use_own_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what both libraries store in this test's HF_HOME; they read the variable when first imported."""
    import datasets
    import huggingface_hub

    home = Path(os.environ["HF_HOME"])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(home))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(datasets.config, "HF_CACHE_HOME", str(home))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", home / "datasets" / "downloads")
    monkeypatch.setattr(datasets.config, "EXTRACTED_DATASETS_PATH", home / "datasets" / "downloads" / "extracted")
    huggingface_hub.HfFileSystem.clear_instance_cache()


def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `huggingface_hub` ask a dead hub again at once, as often as it does; it waits 20 s all told."""
    clock = SimpleNamespace(sleep=lambda _: None, time=time.time, monotonic=time.monotonic)
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)
    monkeypatch.setattr("huggingface_hub.file_download.time", clock)


def point_at(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Send this process and its children to another hub; both libraries read the variable when first imported."""
    import datasets
    import huggingface_hub

    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    resolve = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolve)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", endpoint)


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A hub without datasets that this process and its children use; what they store is the test's own."""
    with LoopbackHub() as server:
        use_own_caches(monkeypatch)
        point_at(monkeypatch, server.endpoint)
        yield server
