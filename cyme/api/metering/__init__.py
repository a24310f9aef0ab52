"""Metrics of a branch: what there is, how it is gathered, and a dashboard that shows it."""
