"""Benchmarks: each module is one command that writes its file under benchmarks/results/."""
