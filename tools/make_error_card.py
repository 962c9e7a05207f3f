"""Make the report's error card from the result files under benchmarks/results.

    python -m tools.make_error_card            # write src/tamperscope/report/error_card.json
    python -m tools.make_error_card --check    # fail if it is not what the result files say

A new measurement is one more entry of MEASURES. Its result file holds shares as ``tamperscope
evaluate duplicates`` and ``seams`` write them: ``successes``, ``trials``, ``interval`` and perhaps
``interval_by_origin``, and the card takes the outer ends of both intervals. Samples from one source
are alike, which the first one does not know, and the second cannot tell where few sources err.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamperscope.records import PANEL_KINDS
from tamperscope.report.error_card import FORMAT, NAME
from tamperscope.report.titles import PANEL_TITLES

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CARD = ROOT / "src" / "tamperscope" / "report" / NAME


@dataclass(frozen=True)
class Set:
    """Samples of one kind in a result file."""

    path: tuple[str, ...]  # to one share, or to a group with "all" and "kind" -> panels -> share
    words: str  # what they are, after their number
    short: str = ""  # for the head of a column
    origin: str = ""  # where they come from; the corpus' split and the seed by default


@dataclass(frozen=True)
class Measure:
    """What the card takes from one result file."""

    kind: str  # one of records.FINDING_KINDS
    title: str
    file: str
    unit: str  # "panel" or "pair"
    detectors: tuple[str, ...]
    changed: Set
    unchanged: tuple[Set, ...]
    case: str = ""
    panels: str = ""  # the one kind of panel, where the paths lead to single shares
    notes: tuple[str, ...] = ()


MATCHERS = ("keypoints", "dense-field-zm")
CHANGES = (
    "unchanged, turned, mirrored, resized, sheared, in other tones, with noise, blurred, "
    "compressed, or with several of these at once"
)
LOOKED_AT = (
    "Misses and false alarms on this set were looked at, and faults that they showed were mended. "
    "The set is therefore no longer wholly new to the methods."
)
BLOTS_SEEN = (
    "The limits were chosen with these very blots in view, so the false alarms are likely to be "
    "more frequent on others."
)
JOIN = Set(("recall", "join", "all"), "blots or gels with a strip cut out and the gap closed")
PATCHED_PIECES = (
    "pieces of blots or gels, 256 x 256 pixels, with a patch from elsewhere laid on, most of them "
    "boxes, or a place erased or retouched by a program"
)
LAID_IN = (
    "256 x 256 pixels, with a region laid in, from elsewhere or from the piece itself, or a place "
    "erased or retouched by a program"
)
LIKE_A_HAND = (
    "256 x 256 pixels, with a thing cut out along its edges and laid in where it fits, from "
    "elsewhere or from the piece itself, or with a place that was stored and resampled apart from "
    "the rest, by a program"
)
ANY_MARK = "Any mark or match on a piece counts, wherever it is."
BY_HAND = "photographs that people changed: something laid in, or a part of it copied"
AUTHENTIC = "authentic photographs"
HARDER = "What people do with care is mostly not seen; the sets made by a program are easier."
SAME_PICTURES = (
    "For micrographs the limit for marks was set on other pieces of the same pictures, so false "
    "alarms are likely to be more frequent on others."
)
KEPT_OUT = "from sources that the network did not learn from"
CUT_PIECES = "pieces of blots or gels, 256 x 256 pixels, with a lane cut out or put in by a program"
PIECES = "pieces of blots or gels as they are, some with letters"
WITH_RIMS = (
    "Many of these pieces hold rims of blots and letters, as a poor split into panels leaves them. "
    "Any mark on a piece counts, wherever it is."
)
IN_VIEW = (
    "Which weights the network has was decided with these pieces in view, so it is likely to find "
    "fewer on others."
)
LIMIT_IN_VIEW = (
    "That a mark must be rare among pristine panels of all kinds was decided with these pieces in "
    "view, so it is likely to err more often on others."
)
PATCH = Set(("recall", "patch", "all"), "blots or gels with a piece from elsewhere in them laid on")
FLAT = Set(
    ("recall", "erased", "all"), "blots or gels with a place filled evenly, with a gradient or blur"
)
BOXED = Set(
    ("recall", "patch, as a box", "all"),
    "blots or gels with a piece from elsewhere in them laid on",
)
PLAIN_BLOTS = "blots or gels left as they are"
OTHER_STYLES = (
    "from scans and photographs of laboratories and from whole figures of journals, none of whose "
    "sources the network learned from or was calibrated on"
)
STORED = (
    "A third of the changed blots was then stored as JPEG, and another third made smaller and "
    "stored as JPEG, as papers do; either hides transitions."
)


def with_and_without(
    kind: str, title: str, file: str, words: str, case: str, notes: tuple[str, ...]
) -> tuple[Measure, Measure]:
    """One set of other styles, screened by the classical detectors and with the network too."""
    without, network = (
        Measure(
            kind, title, file, "panel", detectors,
            Set(("methods", method, "found"), words, origin=OTHER_STYLES),
            (Set(("methods", method, "false_alarms"), PIECES, origin=OTHER_STYLES),),
            f"{case}, {how} the networks", "blot", notes,
        )
        for method, how, detectors in (
            ("classical", "without", ("seams",)),
            ("screened, all networks", "with", ("seams", "biotampernet")),
        )
    )  # fmt: skip
    return without, network


def laid_in(
    file: str,
    panels: str,
    origin: str,
    notes: tuple[str, ...] = (),
    *,
    changed: str = LAID_IN,
    case: str = "a region laid in",
) -> tuple[Measure, Measure]:
    """One set of pictures of a kind, screened by the matchers alone and with ForMa too."""
    pieces = f"pieces of {PANEL_TITLES[panels][1]}"
    without, network = (
        Measure(
            "splice", "Unlike its surroundings", file, "panel", detectors,
            Set(("methods", method, "found"), f"{pieces}, {changed}", origin=origin),
            (Set(("methods", method, "false_alarms"), f"{pieces} as they are", origin=origin),),
            f"{case}, {how} the network", panels, (ANY_MARK, *notes),
        )
        for method, how, detectors in (
            ("classical", "without", MATCHERS),
            ("screened, all networks", "with", (*MATCHERS, "forma")),
        )
    )  # fmt: skip
    return without, network


MEASURES = (
    Measure(
        "duplicate", "Shown in two panels", "duplicates.json", "pair", MATCHERS,
        Set(("recall", "pair"), f"pairs of panels that share all or a part of one: {CHANGES}"),
        (
            Set(("false_alarms", "unrelated"), "pairs of panels of two sources", "two sources"),
            Set(("false_alarms", "same-origin"), "pairs of panels of one source", "one source"),
        ),
        notes=(
            LOOKED_AT,
            "Panels of one source may truly share something, as overlapping photographs do. Such "
            "a pair counts as a false alarm here all the same.",
        ),
    ),
    Measure(
        "copy-move", "Repeated inside one panel", "duplicates.json", "panel", MATCHERS,
        Set(("recall", "within"), f"panels in which a region was repeated: {CHANGES}"),
        (Set(("false_alarms", "panel"), "panels left as they are"),),
        notes=(LOOKED_AT,),
    ),
    Measure(
        "seam", "Abrupt transition", "seams.json", "panel", ("seams",),
        JOIN, (Set(("false_alarms", "seam"), PLAIN_BLOTS),),
        "a strip cut out", "blot", (BLOTS_SEEN, STORED),
    ),
    Measure(
        "seam", "Abrupt transition", "seams.json", "panel", ("seams",),
        PATCH, (Set(("false_alarms", "seam"), PLAIN_BLOTS),),
        "a piece laid on", "blot", (BLOTS_SEEN, STORED),
    ),
    Measure(
        "erased", "Unnaturally flat area", "seams.json", "panel", ("seams",),
        FLAT, (Set(("false_alarms", "erased"), PLAIN_BLOTS),),
        "", "blot", (BLOTS_SEEN,),
    ),
    *with_and_without(
        "seam", "Abrupt transition", "held_out_cstd_other.json", CUT_PIECES,
        "a lane cut out or put in", (WITH_RIMS, IN_VIEW),
    ),
    *with_and_without(
        "splice", "Unlike its surroundings", "held_out_patches_other.json", PATCHED_PIECES,
        "a patch laid on", (WITH_RIMS,),
    ),
    *laid_in("held_out_splices_other.json", "photo", KEPT_OUT),
    *laid_in(
        "held_out_by_hand_other.json", "photo", KEPT_OUT,
        changed=LIKE_A_HAND, case="a thing laid in where it fits",
    ),
    *(
        Measure(
            "splice", "Unlike its surroundings", "screened_photographs.json", "panel", detectors,
            Set(
                ("sets", "casia_v1", method, "tampered"), BY_HAND,
                origin="CASIA v1 (Dong et al. 2013)",
            ),
            (Set(("sets", "casia_v1", method, "authentic"), AUTHENTIC, origin="CASIA v1"),),
            f"changed by hand, {how} the network", "photo", (ANY_MARK, HARDER),
        )
        for method, how, detectors in (
            ("matchers", "without", MATCHERS),
            ("both", "with", (*MATCHERS, "forma")),
        )
    ),
    *laid_in("held_out_splices_microscopy.json", "microscopy", KEPT_OUT, (SAME_PICTURES,)),
    *laid_in("held_out_splices_macroscopy.json", "macroscopy", KEPT_OUT, (LIMIT_IN_VIEW,)),
    Measure(
        "splice", "Unlike its surroundings", "seams.json", "panel", ("seams",),
        BOXED, (Set(("false_alarms", "pasted"), PLAIN_BLOTS),),
        "a box laid on", "blot", (BLOTS_SEEN, STORED),
    ),
)  # fmt: skip

SPLITS = {
    "check": "sources kept out when limits and comparison tables were made",
    "all": "all sources, also those by which limits were chosen",
}
"""Split of the corpus, as the result file names it -> what it means for the reader."""

UNTESTED = (
    "Real manuscripts whose truth is known. All changes measured here, but those of one set of "
    "photographs, were made by a program, in pictures from open repositories and journals. What "
    "people do by hand may be easier or harder to find, and how often the methods err on the "
    "papers you see is not known.",
    "The whole way of a paper. The panels measured here were cut out already and their kind was "
    "known, and every pair was compared in full. In a screening the split into panels, the "
    "recognition of their kind and the short list of pairs worth comparing come first, and add "
    "errors of their own.",
    "Copies that were bent, redrawn, shrunk below half or enlarged beyond twice their size, "
    "brushed over by hand, or compressed many times.",
    "Whole pictures made by a generative model, and patches of them that were blended in. Patches "
    "with untouched rims in Western blots were measured by their pixels only (docs/seams.md).",
    "Charts, diagrams and tables. They are set aside and not searched.",
)


def build(results: Path = RESULTS) -> dict[str, Any]:
    """Make the card in memory.

    Raises:
        KeyError: A result file does not hold what an entry of MEASURES names.
        ValueError: A result file was made with other detectors than the entry says.
    """
    loaded = {
        file: json.loads((results / file).read_text("utf-8"))
        for file in sorted({measure.file for measure in MEASURES})
    }
    return {
        "format": FORMAT,
        "measurements": [_measurement(measure, loaded[measure.file]) for measure in MEASURES],
        "untested": list(UNTESTED),
    }


def _measurement(measure: Measure, result: dict[str, Any]) -> dict[str, Any]:
    made = result["metadata"]
    if tuple(made.get("detectors", measure.detectors)) != measure.detectors:
        raise ValueError(f"{measure.file} was made with {made['detectors']}; change MEASURES")
    changed = _shares(measure, measure.changed, result)
    unchanged = [_shares(measure, one, result) for one in measure.unchanged]
    return {
        "kind": measure.kind,
        "title": measure.title,
        "case": measure.case,
        "unit": measure.unit,
        "detectors": list(measure.detectors),
        "changed": _name(measure.changed, changed, made, "made by a program from unaltered ones"),
        "unchanged": [
            {"short": one.short, "full": _name(one, shares, made, "unaltered")}
            for one, shares in zip(measure.unchanged, unchanged, strict=True)
        ],
        "rows": [
            {
                "panels": panels,
                "sensitivity": _rate(share),
                "false_alarms": [_rate(shares[panels]) for shares in unchanged],
            }
            for panels, share in changed.items()
        ],
        "notes": list(measure.notes),
        "made_by": {
            "file": f"benchmarks/results/{measure.file}",
            "command": made["command"],
            "commit": made["commit"],
        },
    }


def _shares(measure: Measure, group: Set, result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Share by kind of panel, in the order of the report; "all" last."""
    found = result
    for key in group.path:
        found = found[key]
    if measure.panels:
        return {measure.panels: found}
    by_kind = {kind: found["kind"][kind] for kind in PANEL_KINDS if kind in found["kind"]}
    return {**by_kind, "all": found["all"]}


def _name(group: Set, shares: dict[str, dict[str, Any]], made: dict[str, Any], how: str) -> str:
    named = f"{list(shares.values())[-1]['trials']} {group.words}; "
    if group.origin:
        return named + group.origin
    return (
        f"{named}{how} of Tamperscope's corpus, {SPLITS[made['split']]} "
        f"(split “{made['split']}”, seed {made['seed']})"
    )


def _rate(share: dict[str, Any]) -> dict[str, Any]:
    by_origin = share.get("interval_by_origin") or share["interval"]
    ends = (*share["interval"], *by_origin)
    return {
        "successes": share["successes"],
        "trials": share["trials"],
        "interval": [min(ends), max(ends)],
    }


def text() -> str:
    """Text of the card."""
    return json.dumps(build(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the card, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    made = text()
    if parser.parse_args().check:
        if not CARD.is_file() or CARD.read_text("utf-8") != made:
            sys.exit(f"{CARD.name} is not what the result files say; run -m tools.make_error_card")
        return
    CARD.write_text(made, "utf-8")


if __name__ == "__main__":
    main()
