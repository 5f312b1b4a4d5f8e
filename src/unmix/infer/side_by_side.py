"""Chains side by side, each in a thread, until all are done, one fails, or the user interrupts.

While chains run an interrupt (Ctrl-C, the stop button of a notebook) is a request and no exception:
SIGINT's handler notes when it came and nothing else. So it cannot cut anything in two, nor be
raised late, when the caller no longer expects it; sweeps under way are finished, and draws kept.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType

# Seconds between looks at what was noted.
LOOK = 0.1
# Seconds after an interrupt from which another one is obeyed at once: by then chains should have
# stopped. Whoever presses Ctrl-C twice in a row loses nothing.
PATIENCE = 10.0


def side_by_side[Chain](
    go: Callable[[int, Chain], None], chains: Sequence[Chain], threads: int, stop: threading.Event
) -> None:
    """Call ``go(number, chain)`` for each chain, some at a time.

    Parameters
    ----------
    go
        Runs a chain; returns soon once ``stop`` is set.
    chains
        Where chains stand; begun in this order.
    threads
        Chains at a time.
    stop
        Set here when an interrupt comes or a chain fails.

    Raises
    ------
    BaseException
        What the first chain that failed has raised, when the others have stopped.
    KeyboardInterrupt
        If chains do not stop, and `PATIENCE` after the first interrupt there is another.
    """
    waiting: SimpleQueue[tuple[int, Chain]] = SimpleQueue()
    for numbered in enumerate(chains):
        waiting.put(numbered)
    failures: list[BaseException] = []

    def work() -> None:
        while True:
            try:
                number, chain = waiting.get_nowait()
            except Empty:
                return
            try:
                go(number, chain)
            except BaseException as failure:
                failures.append(failure)
                stop.set()

    # Daemons: one that does not stop does not keep the interpreter from ending.
    workers = [
        threading.Thread(target=work, name=f"unmix-gibbs-{i}", daemon=True)
        for i in range(min(threads, len(chains)))
    ]
    with noted_interrupts() as times:
        try:
            for worker in workers:
                worker.start()
            while _running(workers) and not (times and times[-1] - times[0] > PATIENCE):
                if times:
                    stop.set()
        except BaseException:  # raised by the handler of another signal, an alarm's say
            stop.set()
            for worker in workers:
                if worker.ident is not None:
                    worker.join()
            raise
    if any(worker.is_alive() for worker in workers):
        raise KeyboardInterrupt
    if failures:
        raise failures[0]


def _running(workers: Sequence[threading.Thread]) -> bool:
    """Wait a moment; whether there is still something to wait for."""
    for worker in workers:
        if worker.is_alive():
            worker.join(LOOK)
            return True
    return False


@contextmanager
def noted_interrupts() -> Iterator[list[float]]:
    """Moments at which an interrupt came, as `time.monotonic`; none is raised meanwhile.

    Only where one would be raised: in the main thread, unless SIGINT is ignored or kills.
    """
    times: list[float] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield times
        return

    def note(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)  # which may do something else, as an event loop's does
        except KeyboardInterrupt:
            times.append(time.monotonic())

    signal.signal(signal.SIGINT, note)
    try:
        yield times
    finally:
        signal.signal(signal.SIGINT, before)  # what is pending is noted first
