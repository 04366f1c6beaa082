"""What went wrong at the Hugging Face hub, in a sentence that says what to do."""

from __future__ import annotations

import difflib

from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever version it was built on

from engine.data.documents import DataError
from engine.data.sources import problems
from engine.data.sources.problems import causes

HTTPError: type[Exception] = httpx.HTTPError
OFFLINE_ADVICE = "or train on the embedded corpus (--offline-corpus)"


def endpoint() -> str:
    """The address of the hub that is asked."""
    return HfApi().endpoint


def reason(error: BaseException) -> str:
    """Why something failed, without the library's advice."""
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes(error)):
        return "the hub is not asked, since HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set"
    for cause in causes(error):
        if isinstance(cause, HfHubHTTPError):
            return f"the hub at {endpoint()} answers with error {cause.response.status_code}"
        if isinstance(cause, httpx.TransportError | ConnectionError):
            said = str(cause).strip().rstrip(".").splitlines()
            return f"the hub at {endpoint()} cannot be reached{f' ({said[0]})' if said else ''}"
    return problems.reason(error)


def is_away(error: BaseException) -> bool:
    """The hub could not be asked at all, or is out of order; what it holds is not known."""
    for cause in causes(error):
        if isinstance(cause, HfHubHTTPError):
            return bool(cause.response.status_code >= 500 or cause.response.status_code == 429)
        if isinstance(cause, httpx.TransportError | ConnectionError):
            return True
    return False


def not_there(dataset: str) -> DataError:
    """The hub has no such dataset, or does not show it; names that are close are told."""
    close = _close_names(dataset)
    advice = f"close to it: {', '.join(close)}" if close else "look its name up on the hub"
    return DataError(
        f"the hub has no dataset {dataset!r}, or it is not open to all: check the name ({advice}), "
        "or log in with `hf auth login` if it is yours"
    )


def needs_login(dataset: str, error: GatedRepoError) -> DataError:
    """The owner of the dataset wants to know who reads it."""
    if error.response.status_code == 403:
        return DataError(f"{dataset} is not open to your login: ask for access at {endpoint()}/datasets/{dataset}")
    return DataError(
        f"{dataset} needs a login: ask for access at {endpoint()}/datasets/{dataset}, then run `hf auth login`"
    )


def _close_names(dataset: str) -> list[str]:
    owner, _, name = dataset.rpartition("/")
    try:
        found = [info.id for info in HfApi().list_datasets(search=name, limit=20)]
        if not found and owner:
            found = [info.id for info in HfApi().list_datasets(author=owner, limit=100)]
    except (OSError, httpx.HTTPError):  # the hub answered before; its search is only a courtesy
        return []
    others = [name for name in found if name != dataset]
    return difflib.get_close_matches(dataset, others, n=3, cutoff=0.5)
