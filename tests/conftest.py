import os
import signal

# No test opens a window. Set before anything imports matplotlib; child processes inherit it.
os.environ["MPLBACKEND"] = "Agg"

# Matrices are small here. OpenBLAS hands even a 2 x 2 triangular solve to its threads, which on a
# machine with other work takes a thousand times longer than the solve.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What tests themselves give PyMC to compile goes without C, as what unmix compiles does: each
# operation that is new to the machine would take a second.
os.environ.setdefault("PYTENSOR_FLAGS", "cxx=")

# A shell's background jobs ignore SIGINT; tests of what an interrupt does need Python's handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
