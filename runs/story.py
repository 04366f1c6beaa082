"""What the events of a run tell: how it began, what it is busy with, what was asked of it, probed and noticed."""

from __future__ import annotations

from collections import deque

from runs.events import AttemptStarted, Baselines, ControlAnswered, DiskNoticed, Event, Probed, Progress

_NUM_EVENTS = 5000
_NUM_PROBES = 1024
_NUM_CONTROLS = 200


class Story:
    """Of all attempts, as far as a resume has not hidden it. The fields are those of a RunSnapshot.

    `events` and `probes` are the same tuple as before while nothing came: a record comes far more often.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_NUM_EVENTS)
        self._events_tuple: tuple[Event, ...] | None = ()
        self.probes: tuple[Probed, ...] = ()
        self.splices: list[int] = []
        self.controls: list[ControlAnswered] = []
        self.total_steps = 0
        self.started: AttemptStarted | None = None
        self.phase: Progress | None = None
        self.baselines: Baselines | None = None
        self.is_disk_full = False  # records or checkpoints wait for room

    @property
    def events(self) -> tuple[Event, ...]:
        """The newest of them, oldest first, without probes and progress."""
        if self._events_tuple is None:
            self._events_tuple = tuple(self._events)
        return self._events_tuple

    def take(self, event: Event, recorded: float) -> None:
        """Add an event. recorded: Unix time of the newest record."""
        if isinstance(event, Progress):
            if event.time >= recorded:  # else a later record has shown that the wait is over
                self.phase = event
            return
        if isinstance(event, Probed):
            self.probes = (*self.probes, event)
            if len(self.probes) > _NUM_PROBES:  # thin out the older half
                middle = _NUM_PROBES // 2
                self.probes = self.probes[:middle:2] + self.probes[middle:]
            return
        if isinstance(event, AttemptStarted):
            self.started, self.phase, self.is_disk_full = event, None, False
            self.total_steps = event.total_steps
        elif isinstance(event, Baselines):
            self.baselines = event
        elif isinstance(event, ControlAnswered):
            self.total_steps = event.total_steps or self.total_steps
            if event.accepted:
                old, new = self.controls[:-_NUM_CONTROLS], self.controls[-_NUM_CONTROLS:]
                probes = [control for control in old if control.verb == "probes"]
                self.controls = [*probes[-1:], *new, event]  # the probes hold until they are changed again
        elif isinstance(event, DiskNoticed):
            self.is_disk_full = event.is_full
        self._events.append(event)
        self._events_tuple = None

    def go_on_from(self, step: float) -> None:
        """A resume began at that step: hide what was asked and probed after it."""
        self.splices = [splice for splice in self.splices if splice < step] + [int(step)]
        self.probes = tuple(probed for probed in self.probes if probed.step <= step)
        self.controls = [control for control in self.controls if control.step <= step]

    def saw_record(self, recorded: float) -> None:
        """A record of that Unix time came, so that what went before it is over."""
        if self.phase is not None and recorded > self.phase.time:
            self.phase = None
