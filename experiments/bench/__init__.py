"""Benchmarks: MILE-RL beside plain functions and its peers, on workloads that all of them share."""
