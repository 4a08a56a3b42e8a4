"""Benchmarks of the core: all methods on toy data, and the start-up time of commands."""
