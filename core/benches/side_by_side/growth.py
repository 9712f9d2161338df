"""Cases that differ in one thing, so that a curve can be drawn over it: connections, subscribers, bytes. They have few
rounds, since a curve needs no narrow interval, and many connections take a while to open."""

from __future__ import annotations

import resource

from report import Case

# As many connections as a process may have descriptors, and not so many that it takes minutes to open them.
MOST = min(100_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] * 95 // 100)
GROWING_CONNECTIONS = [*(count for count in (1, 10, 100, 1_000, 10_000) if count < MOST), MOST]
GROWING_SUBSCRIBERS = [1, 10, 100, 1_000, 10_000]
GROWING_BYTES = [64 * 8**power for power in range(7)]  # to 16 MiB


def slice_of(connections: int) -> tuple[float, int]:
    """Seconds that it measures, so that each connection has its turn several times, and rounds."""
    if connections > 10_000:
        return 1.0, 2
    return (0.6, 3) if connections == 10_000 else (0.2, 5)


CASES = [
    *(Case(f"growth-connections{count}", 64, count, 1, "growth", *slice_of(count))
      for count in GROWING_CONNECTIONS),
    *(Case(f"growth-subscribers{count}", 64, count, 1, "growth-topic", *slice_of(count))
      for count in GROWING_SUBSCRIBERS),
    *(Case(f"growth-bytes{size}", size, 4, 1, "growth", 0.6 if size > 1 << 20 else 0.15, 5)
      for size in GROWING_BYTES),
]  # fmt: skip
