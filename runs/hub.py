"""Whether a run needs the Hugging Face hub, and whether what it needs is cached or can be had now."""

from __future__ import annotations

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
    tokenised = is_tokenised(data, labelled=config.objective.has_labels)
    cached = tokenised or (data.access == "download" and is_downloaded(data))
    answer = _ask(endpoint, hub_id(data.dataset))
    reachable = answer in ("", "login")
    return HubStatus(True, reachable, cached, endpoint, _sentence(data, endpoint, cached, answer))


def is_tokenised(data: DataConfig, *, labelled: bool = False) -> bool:
    """The token cache that these settings need is complete."""
    return (token_caches_dir() / cache_key(data, labelled=labelled) / "manifest.json").is_file()


def is_downloaded(data: DataConfig) -> bool:
    """The dataset can be opened without the hub: `datasets` prepared its own copy of it.

    Files that only arrived do not count, be it a README or half of a dataset: to use them the hub is asked again.
    """
    try:
        return prepared_folder(data, _datasets_cache()) is not None
    except OSError:  # a folder that may not be read holds nothing for us
        return False


def prepared_folder(data: DataConfig, cache: Path) -> Path | None:
    """The newest copy that `datasets` prepared of exactly this configuration and revision, or None.

    cache: the folder of `datasets`; a copy is OWNER___NAME/CONFIGURATION/VERSION/COMMIT in it. A branch's name
    stands for whatever commit was downloaded last. No configuration stands for the only one. Raises OSError.
    """
    owner, _, name = hub_id(data.dataset).rpartition("/")
    root = cache / "___".join(part for part in (owner, _snake_case(name)) if part)
    pinned = data.revision if re.fullmatch(r"[0-9a-f]{40}", data.revision) else "*"
    found = [
        path
        for path in root.glob(f"*/*/{pinned}")
        if _is_configuration(path.parts[-3], data.dataset_config) and _is_whole(path)
    ]
    if len({path.parts[-3] for path in found}) != 1:
        return None
    return max(found, key=lambda path: path.stat().st_mtime)


def _snake_case(name: str) -> str:
    """As `datasets` names its folders."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


def _is_configuration(folder: str, wanted: str) -> bool:
    return not wanted or folder == wanted or folder == f"default-data_dir={wanted}"


def _is_whole(folder: Path) -> bool:
    """`datasets` renames the folder when everything is in it."""
    has_rows = next(folder.glob("*.arrow"), None) is not None
    return has_rows and folder.suffix != ".incomplete" and (folder / "dataset_info.json").is_file()


def _hf_home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{base}/huggingface").expanduser()


def _datasets_cache() -> Path:
    return Path(os.environ.get("HF_DATASETS_CACHE") or _hf_home() / "datasets").expanduser()


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
