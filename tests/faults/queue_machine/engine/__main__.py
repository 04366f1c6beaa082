"""An engine that only has its devices: it holds a lock for each, and writes down when it began and ended."""

import fcntl
import json
import os
import sys
import time
from pathlib import Path

run = Path(sys.argv[1])
attempt = run / "attempts" / f"{int(sys.argv[sys.argv.index('--attempt') + 1]):04d}"
journal = Path(os.environ["QUEUE_JOURNAL"])
descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def say(what):
    os.write(descriptor, f"{what} {run.name}\n".encode())


devices = json.loads((run / "state.json").read_bytes())["devices"]
say("began")
for device in devices:
    lock = os.open(journal.with_name(f"device-{device}"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("overlaps")
if not devices:
    say("overlaps")  # without devices it shares those of everybody
time.sleep(float(os.environ.get("QUEUE_ENGINE_S", "0.3")))
outcome = {"state": "finished", "reason": "all steps made", "step": 1, "total_steps": 1, "ended": time.time()}
(attempt / ".outcome").write_text(json.dumps(outcome))
(attempt / ".outcome").replace(attempt / "outcome.json")
say("ended")
