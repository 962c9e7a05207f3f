"""Build src/tamperscope/matching/blot_null.json from pristine blots.

    python tools/make_blot_null.py --corpus ../shared/corpus
    python tools/make_blot_null.py --corpus ../shared/corpus --only pasted    leave the others

The file holds, for seams, erased areas and pasted boxes, the strength of the strongest mark of
every pristine blot (before the threshold), as ``tamperscope.matching.marks`` reads it.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from tamperscope.evaluation.sources import check_sources, index_sources
from tamperscope.images import read_pixels
from tamperscope.matching.erased import flat_areas
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.pasted import sharp_boxes
from tamperscope.matching.prepare import prepare
from tamperscope.matching.seams import seam_candidates
from tamperscope.screening.annotations import annotation_mask

OUT = Path(__file__).parents[1] / "src" / "tamperscope" / "matching" / "blot_null.json"


def seam_strength(panel: PreparedPanel) -> float:
    return max((found.run.votes for found in seam_candidates(panel)), default=0.0)


def erased_strength(panel: PreparedPanel) -> float:
    return max((area.strength for area in flat_areas(panel.gray)), default=0.0)


def pasted_strength(panel: PreparedPanel) -> float:
    return max((found.strength for found in sharp_boxes(panel.seen)), default=0.0)


STRENGTHS: dict[str, Callable[[PreparedPanel], float]] = {
    "seam": seam_strength,
    "erased": erased_strength,
    "pasted": pasted_strength,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder with pristine pictures")
    parser.add_argument("--only", choices=STRENGTHS, help="measure this kind, keep the others")
    arguments = parser.parse_args()
    wanted = [arguments.only] if arguments.only else list(STRENGTHS)
    kept = json.loads(OUT.read_text(encoding="utf-8")) if arguments.only else {}
    listed = [s for s in index_sources(arguments.corpus) if s.kind == "blot"]
    found: dict[str, list[float]] = {name: [] for name in wanted}
    sources, _ = check_sources(listed)
    for source in sources:
        pixels = read_pixels(source.path)
        panel = prepare(pixels, "blot", annotation_mask(pixels), name=source.name)
        for name in wanted:
            found[name].append(round(STRENGTHS[name](panel), 3))
            if found[name][-1] > 0:
                print(f"{name} {found[name][-1]:7.1f}  {source.name}", flush=True)
    table = {
        **kept,
        "format": "tamperscope-blot-null/1",
        **{
            name: {"panels": len(values), "strengths": sorted(v for v in values if v > 0)}
            for name, values in found.items()
        },
    }
    OUT.write_text(json.dumps(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
