"""Where known duplications get lost: proposed, measured, or explained by chance.

    python tools/explain_misses.py ../shared/corpus --groups within --count 5 --out misses
    python tools/explain_misses.py ../shared/corpus --groups pair,within --pictures --out misses

Makes the cases of ``tamperscope evaluate duplicates`` from the half of the origins that matching
may be tuned on, and follows each: did a detector propose the true transform, did something remain
after alignment, was it a hit, and did its evidence exceed what chance explains? Prints the misses
and a table; ``cases.jsonl`` holds every proposal with its bands, and is taken up again.
"""

import argparse
import json
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tamperscope.evaluation import hits
from tamperscope.evaluation.duplicates import Case, Sample, make_sample, plan
from tamperscope.evaluation.sources import Source, check_sources, choose_split, index_sources
from tamperscope.images import write_png
from tamperscope.matching.chance import ALPHA, ALPHA_WITHIN, chance_of
from tamperscope.matching.match import Match, Proposal
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import measured_proposals
from tamperscope.matching.verify import Measured
from tamperscope.screening.annotations import annotation_mask

NEAR = 0.15  # of the diagonal of the true target: a proposal this near may become a hit
NEAR_PIXELS = 10.0

Row = dict[str, Any]


def main() -> None:
    """Follow the cases and print where they end."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--groups", default="pair,within", help="pair, within, panel, unrelated")
    parser.add_argument("--kinds", help="only these modalities")
    parser.add_argument("--alterations", help="only these")
    parser.add_argument("--count", type=int, default=5, help="of each alteration")
    parser.add_argument("--pristine", type=int, default=0, help="pairs, and panels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--pictures", action="store_true", help="draw the misses")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    sources, _ = check_sources(choose_split(index_sources(asked.corpus), "tune"))
    cases = [
        case
        for case in plan(sources, asked.count, asked.pristine, asked.pristine)
        if case.group in asked.groups.split(",")
        and (asked.kinds is None or case.kind in asked.kinds.split(","))
        and (asked.alterations is None or case.alteration in asked.alterations.split(","))
    ]
    journal = asked.out / "cases.jsonl"
    known: dict[str, Row] = {}
    if journal.exists():
        known = {row["key"]: row for row in map(json.loads, journal.read_text().splitlines())}
    todo = [case for case in cases if case.key not in known]
    drawn = asked.out if asked.pictures else None
    work = partial(followed, sources=sources, seed=asked.seed, pictures=drawn)
    with journal.open("a") as lines, ProcessPoolExecutor(asked.jobs) as pool:
        for row in pool.map(work, todo, chunksize=2):
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            known[row["key"]] = row
    report([known[case.key] for case in cases])


def followed(case: Case, sources: list[Source], seed: int, pictures: Path | None) -> Row:
    """Every proposal of one case, with its error and what was measured."""
    sample = make_sample(case, sources, seed, annotation_mask)
    row: Row = {"key": case.key, "group": case.group, "kind": case.kind}
    row |= {"alteration": case.alteration, "mode": case.mode}
    if isinstance(sample, str):
        return {**row, "end": "skipped", "why": sample}
    panels = [
        prepare(pixels, case.kind, annotation_mask(pixels), name=case.key)
        for pixels in (sample.first, sample.second)
        if pixels is not None
    ]
    second = panels[1] if len(panels) == 2 else None
    row["proposals"] = [
        described(sample, proposal, found, repeated)
        for proposal, found, repeated in measured_proposals(panels[0], second)
    ]
    row |= {"sources": sample.sources, "shape": sample.first.shape[:2], **ended(row, sample)}
    if pictures is not None and row["end"] not in ("found", "silent"):
        write_png(pictures / (case.key.replace("/", "_") + ".png"), drawn(sample))
    return row


def described(sample: Sample, proposal: Proposal, found: Measured | None, repeated: bool) -> Row:
    """One proposal as JSON values."""
    row: Row = {"detector": proposal.detector, "repeated": repeated}
    within = sample.second is None
    if sample.truth is not None:
        ways = [proposal.transform, np.linalg.inv(proposal.transform)][: 1 + within]
        error = min(hits.corner_error(np.asarray(way, np.float64), sample.truth) for way in ways)
        row["error"] = round(min(error, 1e9), 2)
    if found is None:
        return row
    row |= {"evidence": round(found.evidence, 2), "area": int(found.source_mask.sum())}
    row["bands"] = [
        [round(v, 4) for v in (b.correlation, b.samples, b.balance, b.elsewhere)]
        for b in found.bands
    ]
    if sample.truth is not None:
        match = Match(
            proposal.detector, found.transform, found.source_mask, found.target_mask,
            0, found.correlation, found.correlation_tone, 0.0, "", 1.0,
        )  # fmt: skip
        row["hit"] = hits.is_hit(match, sample.truth, within=within)
    return row


def ended(row: Row, sample: Sample) -> Row:
    """Where the true duplication was lost, or the best evidence of a pristine one."""
    within = sample.second is None
    measured = [p for p in row["proposals"] if "evidence" in p]
    alpha = ALPHA_WITHIN if within else ALPHA
    if sample.truth is None:
        best = max((p["evidence"] for p in measured), default=0.0)
        alarm = chance_of(best, row["kind"], within=within)[0] <= alpha
        return {"end": "alarm" if alarm else "silent", "evidence": best}
    right = [p["evidence"] for p in measured if p["hit"]]
    if right:
        chance = chance_of(max(right), row["kind"], within=within)[0]
        end = "found" if chance <= alpha else "chance"
        return {"end": end, "evidence": max(right), "chance": round(chance, 5)}
    box = np.argwhere(sample.truth.target_mask)
    allowed = max(NEAR_PIXELS, NEAR * float(np.linalg.norm(np.ptp(box, axis=0))))
    near = [p for p in row["proposals"] if p["error"] <= allowed]
    if not near:
        return {"end": "not proposed"}
    return {"end": "misaligned" if any("evidence" in p for p in near) else "nothing measured"}


def drawn(sample: Sample) -> np.ndarray:
    """Show the panels side by side: what was copied in blue, where it lies in red."""
    assert sample.truth is not None
    first = sample.first.copy()
    second = first if sample.second is None else sample.second.copy()
    for picture, mask, colour in (
        (first, sample.truth.source_mask, (0, 60, 255)),
        (second, sample.truth.target_mask, (255, 30, 0)),
    ):
        found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, found, -1, colour, 2)
    if sample.second is None:
        return first
    height = max(first.shape[0], second.shape[0])
    return np.hstack(
        [np.pad(p, ((0, height - p.shape[0]), (0, 4), (0, 0))) for p in (first, second)]
    )


def report(rows: list[Row]) -> None:
    """Print the misses and how many cases end where."""
    tables: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for key in ("group", "kind", "alteration", "mode"):
            tables[f"{key} {row[key]}"][row["end"]] += 1
        if row["end"] not in ("found", "silent"):
            told = {k: row.get(k) for k in ("evidence", "chance", "why") if k in row}
            print(f"{row['end']:16s} {row['key']} {row.get('sources')} {told}")
    for key, ends in sorted(tables.items()):
        print(f"{key:24s} " + ", ".join(f"{end} {n}" for end, n in sorted(ends.items())))


if __name__ == "__main__":
    main()
