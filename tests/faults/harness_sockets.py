"""Promise 11: a run of one process opens no port to the network, and one of several only those of torchrun."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runs import launch
from runs.status import read_state, read_status
from tests.faults.fault_runs import FaultRuns, NeverBegan, begun, engine_pids, tiny_endless_run, wait_for
from tests.faults.figures import Figure, Scale

TORCHRUN_PORTS = 2
"""Of the rendezvous and of the store; no option of torchrun closes them (reliability.md, section 1.5)."""

_NUM_RUNS = {"quick": 1, "long": 5}
_TCP_LISTEN = "0A"
_UDP_UNCONNECTED = "07"

LISTENER = """
import socket, sys
if "engine" in sys.orig_argv:
    listener = socket.create_server(("", 0))
"""


@dataclass(frozen=True)
class Listener:
    """A socket that others can reach. address: of this machine, such as 0.0.0.0 for all its networks."""

    protocol: str
    address: str
    port: int
    pid: int

    @property
    def is_open_to_the_network(self) -> bool:
        return not ipaddress.ip_address(self.address).is_loopback


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """Look at every socket of running engines all through their start, and at a build that listens."""
    with FaultRuns(folder / "one", fake=False) as runs:
        found = [_listeners(runs, 1) for _ in range(_NUM_RUNS[scale])]
    alone = sum(any(listener.is_open_to_the_network for listener in one) for one in found)
    on_loopback = sum(len(one) for one in found)
    detail = f"{on_loopback} sockets on loopback"
    figures = [
        Figure(11, "runs of one process: with a port open to the network", len(found), alone, detail=detail)
    ]
    if scale == "long":
        with FaultRuns(folder / "several", fake=False) as runs:
            several = [_listeners(runs, 2) for _ in range(2)]
        more = sum(not _is_torchruns_alone(one) for one in several)
        addresses = sorted({f"{one.protocol} {one.address}" for run in several for one in run})
        figures.append(
            Figure(
                11,
                f"runs of two processes: with more than torchrun's {TORCHRUN_PORTS} ports open to the network",
                len(several),
                more,
                detail=f"all listeners: {', '.join(addresses)}",
            )
        )
    with FaultRuns(folder / "listens", broken=LISTENER) as runs:
        one = _listeners(runs, 1)
    caught = any(listener.is_open_to_the_network for listener in one)
    return [*figures, Figure(11, "an engine that listens", 1, int(caught), is_control=True)]


def _listeners(runs: FaultRuns, num_processes: int) -> set[Listener]:
    """Every listening socket that any process of one run had, from its start until it has trained for a while."""
    folder = runs.make(processes=num_processes, **(tiny_endless_run() if runs.is_real else {}))
    runs.start(folder)
    found: set[Listener] = set()
    wait_for(lambda: _look(runs, found) or read_status(folder).state == "running", "it runs", 120)
    begun(folder)
    _look(runs, found)
    state = read_state(folder)
    if state is None or len(engine_pids(state.tag)) < num_processes:
        raise NeverBegan("the engine has not all its processes")
    time.sleep(0.2)
    _look(runs, found)
    launch.kill(folder)
    wait_for(lambda: not read_status(folder).is_live, "it is killed")
    return found


def _look(runs: FaultRuns, found: set[Listener]) -> bool:
    """Add what listens now; always False."""
    for pid in runs.processes():
        inodes = set(_socket_inodes(pid))
        if inodes:
            found.update(listener for inode, listener in _table(pid) if inode in inodes)
    return False


def _socket_inodes(pid: int) -> Iterator[int]:
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                yield int(target[8:-1])
    except OSError:  # it ended, or closed one, while we looked
        return


def _table(pid: int) -> Iterator[tuple[int, Listener]]:
    """What the process's network has that takes connections or datagrams from others, by inode."""
    for name, wanted in (("tcp", _TCP_LISTEN), ("tcp6", _TCP_LISTEN), ("udp", _UDP_UNCONNECTED), ("udp6", "07")):
        try:
            lines = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == wanted:
                address, _, port = fields[1].partition(":")
                yield int(fields[9]), Listener(name, _address(address), int(port, 16), pid)


def _address(text: str) -> str:
    """Of /proc/net: words of 32 bits in the byte order of the machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)


def _is_torchruns_alone(listeners: set[Listener]) -> bool:
    """Whether all that is open to the network is torchrun's own, and no more than is known."""
    is_open = [listener for listener in listeners if listener.is_open_to_the_network]
    return len({listener.port for listener in is_open}) <= TORCHRUN_PORTS
