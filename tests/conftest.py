import os
import signal

# No test opens a window. Set before anything imports matplotlib; child processes inherit it.
os.environ["MPLBACKEND"] = "Agg"

# A shell's background jobs ignore SIGINT; tests of what an interrupt does need Python's handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
