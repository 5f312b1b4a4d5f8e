"""Gibbs by exact conditionals: sweeps that run in the kernels from end to end."""
