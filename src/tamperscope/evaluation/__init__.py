"""The only place that scores: metrics, protocols, known-truth benchmarks."""
