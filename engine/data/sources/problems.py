"""Why reading failed, in a few words, from errors that libraries wrap in one another."""

from __future__ import annotations

import errno

from engine.stopping import StopRequested


def causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, innermost last."""
    found = [error]
    while True:
        last = found[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or cause in found:
            return found
        found.append(cause)


def raise_if_stopped(error: BaseException) -> None:
    """Raise the StopRequested that a library wrapped in its own error; a stop is no failure of the source.

    It may come from a signal, so at any line of a library, which takes it for an error of what it reads.
    """
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, StopRequested):
            raise cause
        seen.append(cause)
        linked = (cause.__cause__, cause.__context__)  # the context also where the library asks to hide it
        waiting += [other for other in linked if other is not None and other not in seen]


def reason(error: BaseException) -> str:
    """The first line of the innermost error that says something; a full disk is called that."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            return f"the disk is full{f' ({cause.filename})' if cause.filename else ''}"
    chain = [error]
    while (explicit := chain[-1].__cause__) is not None and explicit not in chain:
        chain.append(explicit)  # not what merely happened to be handled at the time
    said = [str(cause).strip() for cause in reversed(chain) if str(cause).strip()]
    return said[0].splitlines()[0].rstrip(".") if said else type(error).__name__
