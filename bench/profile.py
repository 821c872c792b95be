"""Where CPU time goes: samples of all CPUs, taken by a BPF program on their clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from bcc import BPF, PerfSWConfig, PerfType, SymbolCache

from bench.driver import program_text

HERTZ = 997  # not in step with the kernel's own clock


@dataclass(frozen=True)
class Place:
    """Where a CPU was: in the kernel (`frames`: the function, its caller, …), or else at `user_ip` of a process."""

    process: int
    frames: tuple[str, ...]
    user_ip: int


class Sampler:
    """Takes samples within its `with` block; `samples` says afterwards how many there were at which place."""

    samples: Counter[Place]

    def __enter__(self) -> Self:
        self._bpf = BPF(text=program_text("sample.c"))
        self._bpf.attach_perf_event(PerfType.SOFTWARE, PerfSWConfig.CPU_CLOCK, "sample", sample_freq=HERTZ)
        return self

    def __exit__(self, *_: object) -> None:
        self._bpf.detach_perf_event(PerfType.SOFTWARE, PerfSWConfig.CPU_CLOCK)
        self.samples = Counter()
        for place, number in self._read():
            self.samples[place] += number
        self._bpf.cleanup()

    def seconds(self, area_of: Callable[[Place], str | None]) -> dict[str, float]:
        """CPU time by area, most of it first; without places that belong to none."""
        areas: Counter[str] = Counter()
        for place, number in self.samples.items():
            if (area := area_of(place)) is not None:
                areas[area] += number
        return {area: number / HERTZ for area, number in areas.most_common()}

    def _read(self) -> Iterator[tuple[Place, int]]:
        kernel = SymbolCache(-1)  # new ones, because BPF programs are among them
        stacks = self._bpf["stacks"]
        for key, number in self._bpf["counts"].items():
            addresses = stacks.walk(key.stack) if key.stack >= 0 else ()
            frames = tuple((kernel.resolve(address, False)[0] or b"?").decode() for address in addresses)
            yield Place(key.process, frames, key.user_ip), number.value
