"""Measurements that the project stands by: `python -m tests.benchmarks` prints them and writes `bench.json`."""
