"""Wrong ways to run chains side by side, each of which a test in test_side_by_side must reject."""

import signal
import threading

from unmix.infer import side_by_side as module

right = module.side_by_side


def interrupt_raised_at_the_end(go, chains, threads, stop):
    with module.noted_interrupts() as times:
        right(go, chains, threads, stop)
    if times:
        raise KeyboardInterrupt


def interrupt_raised_at_once(go, chains, threads, stop):
    workers = [threading.Thread(target=go, args=pair, daemon=True) for pair in enumerate(chains)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def interrupt_ignored(go, chains, threads, stop):
    with module.noted_interrupts():
        right(go, chains, threads, threading.Event())


def chains_not_waited_for(go, chains, threads, stop):
    running = threading.Thread(target=right, args=(go, chains, threads, stop), daemon=True)
    with module.noted_interrupts() as times:
        running.start()
        while running.is_alive() and not times:
            running.join(0.01)
    stop.set()


def handler_left_behind(go, chains, threads, stop):
    before = signal.getsignal(signal.SIGINT)
    right(go, chains, threads, stop)
    signal.signal(signal.SIGINT, lambda *_: before(*_))


def failure_swallowed(go, chains, threads, stop):
    def quiet(number, chain):
        try:
            go(number, chain)
        except ValueError:
            stop.set()

    right(quiet, chains, threads, stop)


def others_go_on_after_a_failure(go, chains, threads, stop):
    right(go, chains, threads, threading.Event())


def all_at_once(go, chains, threads, stop):
    right(go, chains, len(chains), stop)


def one_by_one(go, chains, threads, stop):
    right(go, chains, 1, stop)


def last_chain_forgotten(go, chains, threads, stop):
    right(go, chains[:-1], threads, stop)


SIDE_BY_SIDE = {
    f.__name__: f
    for f in (
        interrupt_raised_at_the_end, interrupt_raised_at_once, interrupt_ignored,
        chains_not_waited_for, handler_left_behind, failure_swallowed,
        others_go_on_after_a_failure, all_at_once, one_by_one, last_chain_forgotten,
    )
}  # fmt: skip
