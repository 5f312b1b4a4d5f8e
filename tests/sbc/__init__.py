"""Simulation-based calibration of the sampler; see docs/sbc.md."""
