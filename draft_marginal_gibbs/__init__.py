"""Gibbs on the pass: z and θ in turn, from exact conditionals wherever there are some."""

from unmix.infer.gibbs.run import run_gibbs, why_not_exact

__all__ = ["run_gibbs", "why_not_exact"]
