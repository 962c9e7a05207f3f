"""Run the matchers on one case of :mod:`tamperscope.evaluation.duplicates` and score it."""

import time
from dataclasses import asdict, dataclass

from tamperscope.evaluation import hits
from tamperscope.evaluation.duplicates import Annotate, Case, Sample, make_sample
from tamperscope.evaluation.journal import Record
from tamperscope.evaluation.sources import Source
from tamperscope.matching.match import Match
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import match_between, match_within


@dataclass(frozen=True)
class Measurement:
    """Everything a process needs to run a case by its key; picklable."""

    cases: dict[str, Case]
    sources: tuple[Source, ...]
    seed: int
    detectors: tuple[str, ...]
    annotate: Annotate | None  # marks letters and arrows to be ignored; a module's function

    def __call__(self, key: str) -> Record:
        """Make the sample, match, and score."""
        case = self.cases[key]
        sample = make_sample(case, list(self.sources), self.seed, self.annotate)
        described = {
            "group": case.group,
            "kind": case.kind,
            "alteration": case.alteration,
            "mode": case.mode,
        }
        if isinstance(sample, str):
            return {**described, "skipped": sample}
        try:
            return {**described, **self._score(sample)}
        except Exception as error:
            error.add_note(f"in case {key} of seed {self.seed}, made from {sample.sources}")
            raise

    def _score(self, sample: Sample) -> Record:
        matches, seconds, preparing = self._match(sample)
        within = sample.second is None
        record: Record = {
            "sources": sample.sources,
            "origin": sample.origin,
            "matches": len(matches),
            "seconds": round(seconds, 4),
            "seconds_preparing": round(preparing, 4),
            "megapixels": round(_pixels(sample) / 1e6, 4),
        }
        if matches:
            best = max(matches, key=lambda match: match.score)
            record["best"] = {
                "detector": best.detector,
                "score": round(best.score, 6),
                "chance": best.chance,
                "inliers": best.inliers,
                "correlation": round(best.correlation, 4),
                "correlation_tone": round(best.correlation_tone, 4),
            }
        if sample.truth is not None:
            record["hit"] = any(hits.is_hit(m, sample.truth, within=within) for m in matches)
            counts = hits.pixel_counts(matches, sample.truth, within=within)
            record["pixels"] = asdict(counts)
        return record

    def _match(self, sample: Sample) -> tuple[list[Match], float, float]:
        """Match, and take the time: (matches, seconds of matching, seconds of preparing)."""
        start = time.perf_counter()
        panels = [
            prepare(
                pixels,
                sample.case.kind,
                None if self.annotate is None else self.annotate(pixels),
                name=sample.case.key,
            )
            for pixels in (sample.first, sample.second)
            if pixels is not None
        ]
        prepared = time.perf_counter()
        if len(panels) == 1:
            matches = match_within(panels[0], self.detectors)
        else:
            matches = match_between(panels[0], panels[1], self.detectors)
        return matches, time.perf_counter() - prepared, prepared - start


def _pixels(sample: Sample) -> int:
    second = 0 if sample.second is None else sample.second[..., 0].size
    return sample.first[..., 0].size + second
