"""Interrupts that cannot leave the test that makes them.

A signal that a test sends to its own process comes when it comes, perhaps in the test after. Here
it goes to a child with a time limit, or the handler that stands at that moment is simply called.
"""

import signal
import subprocess
import sys
import threading
import time

SECONDS = 60.0  # of a child's life
READY = "ready"


def interrupt():
    """What SIGINT does now, done from whichever thread; not if it would raise."""
    handler = signal.getsignal(signal.SIGINT)
    assert handler is not signal.default_int_handler, "an interrupt would be raised here"
    assert callable(handler)
    handler(signal.SIGINT, None)


def interrupted_child(code, *arguments, times=1, gap=0.3, cwd=None):
    """Run code in a child, and interrupt it so many times once it has printed READY."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{code}"
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        limit = threading.Timer(SECONDS, process.kill)  # its pipes then end, and so do we
        limit.start()
        try:
            for line in process.stdout:
                if line == f"{READY}\n":
                    break
            for number in range(times):
                time.sleep(gap if number else 0)
                process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        finally:
            limit.cancel()
            process.kill()
    return subprocess.CompletedProcess(code, process.returncode, out, err)
