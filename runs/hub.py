"""Whether a run needs the Hugging Face hub, and whether what it needs is cached or can be had now."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec

from presets.corpora import facts, hub_id
from presets.schema import DataConfig, RunConfig
from runs.folder import token_caches_dir
from runs.token_caches import cache_key

_TIMEOUT_S = 3.0
_DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = frozenset({"1", "on", "yes", "true"})


class HubStatus(msgspec.Struct, frozen=True):
    """needed: the data come from the hub. cached: they are on this disk. sentence: all of it in plain words."""

    needed: bool
    reachable: bool
    cached: bool
    endpoint: str
    sentence: str

    @property
    def is_in_the_way(self) -> bool:
        """The run cannot get its data."""
        return self.needed and not self.cached and not self.reachable


def hub_status(config: RunConfig) -> HubStatus:
    """Look at the caches, and ask the hub when it is needed; blocks up to about 3 s, raises nothing."""
    data = config.data
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _DEFAULT_ENDPOINT
    if data.source != "hub":
        return HubStatus(False, False, True, endpoint, _without_hub(data))
    cached = is_tokenised(data) or (data.access == "download" and is_downloaded(data))
    answer = _ask(endpoint, hub_id(data.dataset))
    reachable = answer in ("", "login")
    return HubStatus(True, reachable, cached, endpoint, _sentence(data, endpoint, cached, answer))


def is_tokenised(data: DataConfig) -> bool:
    """The token cache that these settings need is complete."""
    return (token_caches_dir() / cache_key(data) / "manifest.json").is_file()


def is_downloaded(data: DataConfig) -> bool:
    """The dataset is in Hugging Face's own caches."""
    with contextlib.suppress(OSError):
        dataset = hub_id(data.dataset)
        prepared = dataset.replace("/", "___").lower()
        for folder in _subfolders(_datasets_cache()):
            if folder.name.lower() == prepared and _holds_prepared(folder, data.dataset_config):
                return True
        snapshots = _hub_cache() / f"datasets--{dataset.replace('/', '--')}" / "snapshots"
        return any(any(file.is_file() for file in snapshot.rglob("*")) for snapshot in _subfolders(snapshots))
    return False


def _holds_prepared(folder: Path, configuration: str) -> bool:
    wanted = folder / configuration if configuration else folder
    return next(wanted.rglob("*.arrow"), None) is not None


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _hf_home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{base}/huggingface").expanduser()


def _datasets_cache() -> Path:
    return Path(os.environ.get("HF_DATASETS_CACHE") or _hf_home() / "datasets").expanduser()


def _hub_cache() -> Path:
    return Path(os.environ.get("HF_HUB_CACHE") or _hf_home() / "hub").expanduser()


def _ask(endpoint: str, dataset: str) -> str:
    """Empty when the hub has the dataset; `login` when it may need one; else what is the matter.

    In a thread of its own, since no timeout holds for the name lookup.
    """
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        if os.environ.get(variable, "").lower() in _TRUE:
            return f"is not asked, since {variable} is set"
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(_request(endpoint, dataset)), daemon=True)
    thread.start()
    thread.join(_TIMEOUT_S + 0.2)
    return answers[0] if answers else f"does not answer within {_TIMEOUT_S:g} s"


def _request(endpoint: str, dataset: str) -> str:
    url = f"{endpoint}/api/datasets/{urllib.parse.quote(dataset)}"
    if not re.match(r"https?://", url):
        return f"is not an http address ({endpoint})"
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "tinytrain-tui"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return "login"
        return "knows no such dataset" if error.code == 404 else f"answers with error {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return f"cannot be reached ({reason})"


def _without_hub(data: DataConfig) -> str:
    if data.source == "files":
        return f"{data.dataset} is on this machine"
    if data.source == "synthetic":
        return f"{data.dataset} is made by the program"
    return f"{data.dataset} ships with the program"


def _sentence(data: DataConfig, endpoint: str, cached: bool, answer: str) -> str:
    known = facts(data)
    size = f" ({known.download_bytes / 1e6:.0f} MB)" if known and known.download_bytes else ""
    start = f"{hub_id(data.dataset)} comes from {_host(endpoint)}{size}"
    if cached:
        return f"{start}, and is cached on this machine"
    if answer == "":
        return f"{start}, which can be reached"
    if answer == "login":
        return f"{start}, which wants a login for it: the name may be wrong, or the dataset is not open to all"
    return f"{start}, which {answer}, and nothing is cached"


def _host(endpoint: str) -> str:
    try:
        return urllib.parse.urlsplit(endpoint).hostname or endpoint
    except ValueError:
        return endpoint
