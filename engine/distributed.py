"""The processes of one run: who I am, and the few things we do together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from engine.progress import NO_MARK, ProgressMark
from presets.schema import LaunchConfig


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


@dataclass(frozen=True)
class World:
    """rank 0 writes records and checkpoints; with one process every operation here is free.

    mark: says where this rank is. limit_s: how long it waits for the others before that is an error.
    """

    rank: int
    size: int
    device: torch.device
    mark: ProgressMark = NO_MARK
    limit_s: float = 600.0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place."""
        if self.size > 1:
            self.mark.enter()
            dist.all_reduce(tensor)
            self.mark.leave()
        return tensor

    def any(self, wants: bool) -> bool:
        """Whether any process wants something; agreed on between the hosts, no device waits."""
        if self.size == 1:
            return wants
        flag = torch.tensor(int(wants), dtype=torch.int32)
        self.mark.enter()
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        self.mark.leave()
        return bool(flag)

    def gather(self, value: float) -> list[float]:
        """Every process's number, by rank."""
        if self.size == 1:
            return [value]
        values = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        values[self.rank] = value
        return [float(number) for number in self.sum(values).tolist()]

    def barrier(self) -> None:
        """Wait for all."""
        if self.size > 1:
            self.mark.enter()
            dist.barrier()
            self.mark.leave()

    def from_main(self, value: Any) -> Any:
        """Rank 0's plain-data value, on every rank."""
        if self.size == 1:
            return value
        box = [value]
        self.mark.enter()
        dist.broadcast_object_list(box, src=0, device=self.device if self.device.type == "cuda" else None)
        self.mark.leave()
        return box[0]

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1:
            dist.destroy_process_group()


def join_world(launch: LaunchConfig, mark: ProgressMark = NO_MARK) -> World:
    """Choose the device and, under torchrun, join the others. Raises DeviceError.

    mark: tells from here on when this rank waits for the others.
    """
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    device = _device(launch, int(os.environ.get("LOCAL_RANK", "0")))
    if size > 1:
        limit = timedelta(seconds=launch.collective_timeout)
        mark.limit(limit.total_seconds())
        mark.enter()
        if device.type == "cuda":
            # gloo for what the hosts agree on, so that no step waits for a device
            dist.init_process_group("cpu:gloo,cuda:nccl", timeout=limit, device_id=device)
        else:
            dist.init_process_group("gloo", timeout=limit)
        mark.leave()
    return World(rank, size, device, mark, launch.collective_timeout)


def use_threads(launch: LaunchConfig, num_processes: int) -> int:
    """Set and return the number of CPU threads of this process; a machine's processes share its cores.

    num_processes: of this machine, where torchrun does not say how many there are.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", num_processes))
    threads = launch.threads or max(1, (os.cpu_count() or 1) // here)
    torch.set_num_threads(threads)
    return threads


def _device(launch: LaunchConfig, local_rank: int) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if launch.device == "cpu" or (launch.device == "auto" and not has_cuda):
        return torch.device("cpu")
    if not has_cuda:
        raise DeviceError(
            "launch.device is cuda, and torch finds no CUDA device; set launch.device=cpu, or look at "
            "`tinytrain-tui doctor`"
        )
    if local_rank >= torch.cuda.device_count():
        raise DeviceError(
            f"launch.num_processes asks for GPU number {local_rank}, and there are {torch.cuda.device_count()}"
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device
