"""What harness_queue changes in supervisors: a machine of four cores with a slow disk, and the broken builds."""

import os
import sys
import time

NUM_CORES = 4


def _slow_disk(seconds):
    """Widens the moments between two files: the right build has to bear it as well as the broken ones."""
    real = os.fsync

    def fsync(descriptor):
        time.sleep(seconds)
        real(descriptor)

    os.fsync = fsync


def _break(build):
    """Take out the very thing that keeps one of the queue's promises."""
    import contextlib

    import runs.queue_entry

    if build == "no lock":
        runs.queue_entry.queue_lock = lambda runs, wait_s=0.0: contextlib.nullcontext()
    if build == "keeps its place":
        runs.queue_entry.leave = lambda folder: True
    if build == "nobody revives":
        import runs.queue

        runs.queue.revive = lambda runs, wait_s=0: 0
    if build == "keeps its place":
        import runs.waiting

        runs.waiting.has_begun = lambda folder, entry: False


if any("runs.supervisor" in argument for argument in sys.orig_argv):
    _slow_disk(float(os.environ.get("QUEUE_FSYNC_S", "0.02")))
    _break(os.environ.get("QUEUE_BUILD", "ours"))
    import runs.devices

    runs.devices._cores = lambda: tuple(range(NUM_CORES))
