"""Chains side by side, and what an interrupt does to them."""

import signal
import threading
import time

import pytest
from interrupting import interrupt, interrupted_child
from mutants_side_by_side import SIDE_BY_SIDE

from unmix.infer import side_by_side as module
from unmix.infer.side_by_side import side_by_side

# Seconds after which a chain gives up waiting for what should happen within a tenth of one.
GIVE_UP = {"seconds": 30.0}


def until(stop):
    assert stop.wait(GIVE_UP["seconds"]), "nobody said to stop"


def check_every_chain_is_run(side_by_side):
    """Five chains, two at a time: those that run together meet, and a third never joins them."""
    met = threading.Barrier(2, timeout=GIVE_UP["seconds"])
    running, most, seen = [], [], []

    def go(number, chain):
        running.append(number)
        if number < 4:
            met.wait()
        most.append(len(running))
        time.sleep(0.02)
        running.remove(number)
        seen.append((number, chain))

    stop = threading.Event()
    side_by_side(go, "abcde", 2, stop)
    assert sorted(seen) == list(enumerate("abcde"))
    assert max(most) == 2
    assert not stop.is_set()


def check_an_interrupt_stops_all(side_by_side):
    """And is not raised; what was under way is finished."""
    before, stop, finished = signal.getsignal(signal.SIGINT), threading.Event(), []

    def go(number, chain):
        if number == 1:
            interrupt()
        until(stop)
        time.sleep(0.2)  # the rest of a sweep
        finished.append(number)

    assert returns(side_by_side, go, "ab", 2, stop)
    assert sorted(finished) == [0, 1]
    assert signal.getsignal(signal.SIGINT) is before


def check_an_interrupt_in_the_last_moment(side_by_side):
    """There is nothing left to stop, so it changes nothing."""
    assert returns(side_by_side, lambda *_: interrupt(), "a", 1, threading.Event())


def check_a_failure_stops_the_others(side_by_side):
    stop = threading.Event()

    def go(number, chain):
        if number == 1:
            raise ValueError("of chain 1")
        until(stop)

    with pytest.raises(ValueError, match="of chain 1"):
        side_by_side(go, "ab", 2, stop)


def returns(side_by_side, *arguments):
    """Whether no interrupt comes out; one that did would end pytest."""
    try:
        side_by_side(*arguments)
    except KeyboardInterrupt:
        return False
    return True


CHECKS = (
    check_every_chain_is_run, check_an_interrupt_stops_all, check_an_interrupt_in_the_last_moment,
    check_a_failure_stops_the_others,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_side_by_side(check):
    check(side_by_side)


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_wrong_way_is_seen(name, monkeypatch):
    monkeypatch.setitem(GIVE_UP, "seconds", 0.3)
    assert any(rejects(check, SIDE_BY_SIDE[name]) for check in CHECKS)


def rejects(check, wrong):
    before = signal.getsignal(signal.SIGINT)
    try:
        check(wrong)
    except (AssertionError, threading.BrokenBarrierError, pytest.fail.Exception):
        return True
    finally:
        signal.signal(signal.SIGINT, before)
    return False


def test_a_thread_that_is_not_the_main_one():
    """It may set no handler, and no interrupt is raised in it."""
    seen = []
    own = threading.Thread(
        target=side_by_side, args=(lambda *pair: seen.append(pair), "a", 1, threading.Event())
    )
    own.start()
    own.join(60)
    assert seen == [(0, "a")]


def test_another_handler_is_still_called():
    """An event loop has its own, which raises nothing: that is no wish to stop."""
    called = []
    before = signal.signal(signal.SIGINT, lambda number, _: called.append(number))
    try:
        with module.noted_interrupts() as times:
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
    assert called == [signal.SIGINT]
    assert not times


# --- Real signals, in a child ---------------------------------------------------------------------

LOAD = """
import _thread, runpy, sys, threading, time
side_by_side = runpy.run_path(sys.argv[1])["side_by_side"]
stop = threading.Event()
"""


def child(code, **options):
    return interrupted_child(LOAD + code, module.__file__, **options)


def test_ctrl_c_several_times():
    done = child(
        """
finished = []
def go(number, chain):
    if number == 1:
        print("ready", flush=True)
    while not stop.is_set():
        time.sleep(0.001)
    time.sleep(0.5)
    finished.append(number)
side_by_side(go, "abc", 3, stop)
print(sorted(finished), flush=True)
""",
        times=3,
        gap=0.1,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 2]\n", "")


def test_a_chain_that_does_not_stop_can_be_left():
    """The second interrupt is raised, and the process ends although the thread does not."""
    done = child(
        """
side_by_side.__globals__["PATIENCE"] = 0.2
def go(number, chain):
    print("ready", flush=True)
    while True:
        time.sleep(1)
side_by_side(go, "a", 1, stop)
""",
        times=2,
        gap=1.0,
    )
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")


def test_an_interrupt_at_any_moment_of_many():
    """From the first instruction of a chain to its last: none is ever raised."""
    done = child(
        """
def go(number, chain):
    ending = time.perf_counter() + 5e-6 * chain
    if number == chain % 2:
        _thread.interrupt_main()
    while time.perf_counter() < ending:
        pass
    if number == chain % 3:
        _thread.interrupt_main()
print("ready", flush=True)
for length in range(400):
    side_by_side(go, [length, length], 1 + length % 2, threading.Event())
print("none", flush=True)
""",
        times=0,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "none\n", "")
