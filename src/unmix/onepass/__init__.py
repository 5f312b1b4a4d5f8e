"""The fast road: one compiled pass over the data for components that are exponential families."""
