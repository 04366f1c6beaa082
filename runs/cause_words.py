"""From the text of an error or the number of a signal to a word for the cause, and to what a person can do."""

from __future__ import annotations

import re
import signal

from runs.error_report import Cause, ErrorReport

_KINDS: tuple[tuple[re.Pattern[str], Cause, str], ...] = (
    (
        re.compile(r"CUDA out of memory|OutOfMemoryError|CUDNN_STATUS_ALLOC_FAILED|CUBLAS_STATUS_ALLOC_FAILED"),
        "out of memory",
        "the GPU's memory is full: lower train.batch_size and raise train.accumulation_steps by the same factor, "
        "or lower data.sequence_length or model.hidden_size",
    ),
    (
        re.compile(
            r"MemoryError|DefaultCPUAllocator: can't allocate|Cannot allocate memory|std::bad_alloc"
            r"|\bOutOfMemory:|\[Errno 12\]"
        ),
        "out of memory",
        "the machine's memory is full: lower train.batch_size, data.sequence_length or model.hidden_size, "
        "or end other programs",
    ),
    (
        re.compile(r"No space left on device|Disk quota exceeded|\[Errno 28\]|\[Errno 122\]"),
        "disk full",
        "the disk is full: make room, or lower train.keep_checkpoints, then resume",
    ),
    (
        re.compile(
            r"ImportError|ModuleNotFoundError|cannot open shared object file|undefined symbol"
            r"|No module named|cannot import name"
        ),
        "import",
        "the program is not installed whole: look at `tinytrain-tui doctor`",
    ),
)
_DATA_EXCEPTIONS = frozenset(
    {
        "DataError", "SourceBroke", "CheckpointError", "SafetensorError", "JSONDecodeError", "UnicodeDecodeError",
        "ArrowInvalid", "FileNotFoundError", "IsADirectoryError", "NotADirectoryError",
    }
)  # fmt: skip
_PEER_IS_GONE = re.compile(
    r"Connection closed by peer|Connection reset by peer|Broken pipe|remote process exit|caused pair closure"
    r"|failed to recv, got 0 bytes|communicator was aborted|Connection was likely closed|Connection refused"
)
_PEER_IS_LATE = re.compile(
    r"Socket Timeout|Timed out waiting|timed out after|Wait timeout|collective operation timeout|timeout on recv"
)
_OF_COLLECTIVES = frozenset(
    {"RuntimeError", "DistError", "DistBackendError", "DistNetworkError", "DistStoreError", "TimeoutError"}
)
_SIGNAL_MEANING = {
    signal.SIGKILL: "usually the kernel's out-of-memory killer, or somebody's kill -9",
    signal.SIGTERM: "somebody or something asked it to end",
    signal.SIGSEGV: "a crash in native code",
    signal.SIGABRT: "native code gave up; the log's last lines say why",
    signal.SIGBUS: "memory-mapped data could not be read; the disk may be full or gone",
    signal.SIGFPE: "a crash in native code (arithmetic)",
    signal.SIGILL: "a crash in native code (an instruction that this processor does not have)",
    signal.SIGXFSZ: "a file grew larger than the limit of this user (ulimit -f)",
    signal.SIGXCPU: "it used more time than the limit of this user (ulimit -t)",
}
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS})


def hint_for(text: str) -> str:
    """What a person can do about an error with this text, or nothing."""
    return next((hint for pattern, _, hint in _KINDS if pattern.search(text)), "")


def cause_of_text(text: str) -> Cause:
    """The word for lines that something printed before it ended; empty when they tell of nothing known."""
    return next((cause for pattern, cause, _ in _KINDS if pattern.search(text)), "")


def cause_of_report(report: ErrorReport) -> Cause:
    """The word for an exception: by its name and message, since its traceback also quotes innocent code."""
    found = cause_of_text(f"{report.exception}: {report.message}")
    if found:
        return found
    if waited_in_vain(report):
        return "hang"
    return "data" if report.exception in _DATA_EXCEPTIONS else "error"


def cause_of_returncode(returncode: int | None) -> Cause:
    """The word for a return code: minus the signal's number for a signal; None when nobody saw it."""
    if returncode is not None and returncode >= 0:
        return "error"
    return "crash" if -(returncode or 0) in _CRASHES else "killed"


def misses_a_peer(report: ErrorReport) -> bool:
    """Whether a rank only complains that another one is gone: that one's end is the cause."""
    return _is_of_collectives(report) and bool(_PEER_IS_GONE.search(report.message))


def waited_in_vain(report: ErrorReport) -> bool:
    """Whether a rank's collective ran into its time limit: another rank did not come."""
    return _is_of_collectives(report) and bool(_PEER_IS_LATE.search(report.message))


def tells_of_waiting(text: str) -> bool:
    """Whether lines that a rank printed tell of such a time limit: NCCL ends the process itself."""
    return bool(_PEER_IS_LATE.search(text))


def _is_of_collectives(report: ErrorReport) -> bool:
    return report.exception in _OF_COLLECTIVES


def describe_returncode(returncode: int | None) -> str:
    """A return code in words: `killed by signal 9: usually …`, `ended with exit code 3`."""
    if returncode is None:
        return "ended, and nobody was there to see how"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        meaning = _SIGNAL_MEANING.get(signal.Signals(-returncode)) or signal.Signals(-returncode).name
    except ValueError:
        meaning = "a signal this system has no name for"
    return f"killed by signal {-returncode}: {meaning}"


def signal_name(returncode: int | None) -> str:
    """SIGKILL for -9; empty for an exit code, and for a signal without a name."""
    try:
        return signal.Signals(-(returncode or 0)).name
    except ValueError:
        return ""
