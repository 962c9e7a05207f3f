"""Runs every benchmark, or those named: ``python -m benchmarks [NAME ...]``."""

import importlib
import sys

NAMES = ("scan", "networks", "pairs", "dense_field", "panels", "screening", "forge", "training")


def main(names: list[str]) -> None:
    """Run benchmarks one after the other, so that none disturbs another's clock."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    for name in names or NAMES:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main([])


if __name__ == "__main__":
    main(sys.argv[1:])
