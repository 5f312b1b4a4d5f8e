import os

# No test opens a window. Set before anything imports matplotlib; child processes inherit it.
os.environ["MPLBACKEND"] = "Agg"
