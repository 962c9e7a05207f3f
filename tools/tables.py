"""Make docs/results.md from the result files under benchmarks/results.

python tools/tables.py            # write docs/results.md
python tools/tables.py --check    # fail if it is not what the files say
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from tamperscope.evaluation.layout import as_markdown
from tamperscope.evaluation.metrics import Counts
from tamperscope.evaluation.seam_cases import FALSE_ALARMS
from tamperscope.evaluation.tables import tables_of

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"
HEAD = """# Measured

Made by `python tools/tables.py` from `benchmarks/results/`; each file names the command, commit,
the machine and the versions it was made with. Intervals are 95 %, Clopper-Pearson over samples;
*by origin* is a bootstrap over the sources of the pictures, more honest where pictures share
a source.
"""
Rows = list[list[str]]


def table(head: list[str], rows: Rows) -> str:
    """Lay out a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def share(cell: dict[str, Any] | None) -> str:
    """Share with its interval and the number of samples."""
    if not cell or not cell["trials"]:
        return "-"
    low, high = cell["interval"]
    text = f"{cell['share']:.3f} ({low:.3f}-{high:.3f}), n = {cell['trials']}"
    if cell.get("interval_by_origin") is not None:
        low, high = cell["interval_by_origin"]
        text += f"; by origin {low:.3f}-{high:.3f}"
    return text


def made_by(result: dict[str, Any]) -> str:
    """Name the command, commit and machine of a result."""
    data = result["metadata"]
    return f"`{data['command']}` at `{data['commit']}`, {data['machine']['processor']}.\n"


def duplicates(result: dict[str, Any]) -> str:
    """Recall and false alarms of reuse within and between panels."""
    pair, within = result["recall"]["pair"], result["recall"]["within"]
    names = dict.fromkeys([*pair["alteration"], *within["alteration"]])
    rows = [
        [name, share(pair["alteration"].get(name)), share(within["alteration"].get(name))]
        for name in names
    ]
    rows.append(["**all**", share(pair["all"]), share(within["all"])])
    alarms = [
        [group, kind, share(cell)]
        for group, found in result["false_alarms"].items()
        for kind, cell in [*found["kind"].items(), ("**all**", found["all"])]
    ]
    modes = [
        [name, share({**pair["mode"], **within["mode"]}.get(name))]
        for name in (*pair["mode"], *within["mode"])
    ]
    kinds = [
        [name, share(pair["kind"].get(name)), share(within["kind"].get(name))]
        for name in dict.fromkeys([*pair["kind"], *within["kind"]])
    ]
    together = share(result["recall"]["all"])
    return "\n".join([
        "## Duplications\n", made_by(result), f"Recall over everything: {together}.\n",
        table(["alteration", "between panels", "inside a panel"], rows),
        table(["modality", "between panels", "inside a panel"], kinds),
        table(["what is shared", "recall"], modes),
        "False alarms: share of pristine samples with any match.\n",
        table(["pristine", "modality", "false alarms"], alarms),
        "The same as one score: by pixels, pooled over the samples with a duplication, where only "
        "what belongs to a match is marked; by image, any match against none over all samples.\n",
        table(["", "pixel MCC", "pixel F1", "image MCC"], duplicate_scores(result)),
    ])  # fmt: skip


def duplicate_scores(result: dict[str, Any]) -> Rows:
    """Pooled scores by pixels and by image, between panels and inside a panel."""
    rows = []
    for group, name, pristine in (
        ("pair", "between panels", ("unrelated", "same-origin")),
        ("within", "inside a panel", ("panel",)),
    ):
        changed = result["recall"][group]["all"]
        untouched = [result["false_alarms"][other]["all"] for other in pristine]
        alarms = sum(cell["successes"] for cell in untouched)
        image = Counts(
            hits=changed["flagged"],
            misses=changed["trials"] - changed["flagged"],
            false_alarms=alarms,
            rejections=sum(cell["trials"] for cell in untouched) - alarms,
        )
        pixels = result["pixels"][group]
        scores = (pixels["mcc_pooled"], pixels["f1_pooled"], image.mcc)
        rows.append([name, *(f"{score:.3f}" for score in scores)])
    return rows


def seams(result: dict[str, Any]) -> str:
    """Recall and false alarms of seams and erased areas."""
    rows = []
    for change, groups in result["recall"].items():
        for field, cells in groups.items():
            if field == "all":
                rows.append([f"**{change}**", "all", share(cells)])
            else:
                rows += [[change, f"{field} {name}", share(cell)] for name, cell in cells.items()]
    alarms = [[name, share(result["false_alarms"][name])] for name in FALSE_ALARMS]
    return "\n".join([
        "## Seams and erased areas of blots\n", made_by(result),
        table(["change", "strength or storage", "recall"], rows),
        table(["pristine blots", "false alarms"], alarms),
    ])  # fmt: skip


def bench(result: dict[str, Any]) -> str:
    """Pixel scores on real tampered pictures."""
    rows = [
        [
            entry["set"], entry["detector"], str(entry["images"]),
            *(f"{entry[name]:.3f}" for name in ("f1_mean", "mcc_mean", "f1_pooled", "mcc_pooled")),
        ]
        for entry in result["scores"]
    ]  # fmt: skip
    head = ["set", "detector", "images", "F1 mean", "MCC mean", "F1 pooled", "MCC pooled"]
    notes = "\n".join(f"- {note}" for note in result["notes"])
    published = [[p["set"], p["method"], p["score"], p["from"]] for p in result["published"]]
    return "\n".join([
        "## Real tampered pictures\n", made_by(result), table(head, rows), notes + "\n",
        "Published numbers, for scale; other sets or other subsets, as said:\n",
        table(["set", "method", "score", "from"], published),
    ])  # fmt: skip


TASKS = {
    "edd": "Pairs of panels that share content",
    "idd": "Content repeated inside a panel",
    "cstd": "Seams in blots",
    "patches": "Patches laid into blots",
    "splices": "Regions laid into",  # what: as the result says
    "by_hand": "As if by hand: regions laid into",
}
SHOWN = {"photo": "photographs", "microscopy": "micrographs", "macroscopy": "macroscopic pictures"}


def held_out(result: dict[str, Any]) -> str:
    """Networks of panels and the classical detectors on forged panels of held-out sources."""
    rows = []
    for name, scores in result["methods"].items():
        cells = [with_interval(scores[key]) for key in ("pixel_mcc", "pixel_f1", "image_mcc")]
        rows.append([name, *cells, share(scores["found"]), share(scores["false_alarms"])])
    size, title = result["size"], TASKS[result["task"]]
    if result["task"] in ("splices", "by_hand"):
        title += f" {SHOWN[result['kind']]}"
    return "\n".join([
        f"## {title}: networks and classical detectors\n", made_by(result),
        f"{result['samples']} samples of {size} x {size} pixels, forged from {result['sources']} "
        f"sources that no network learned from ({', '.join(result['uses'])} pictures).\n",
        table(["method", "pixel MCC", "pixel F1", "image MCC", "found", "false alarms"], rows),
    ])  # fmt: skip


def real_photographs(result: dict[str, Any]) -> str:
    """What a screening tells of real photographs, by which method."""
    rows = []
    for name, methods in result["sets"].items():
        for method, groups in methods.items():
            for group, found in groups.items():
                rows.append([name, method, group, str(found["successes"]), share(found)])
    return "\n".join([
        "## Real photographs of which a screening tells something\n", made_by(result),
        "Any mark or match counts, wherever it is; tampered ones were tampered with by hand.\n",
        table(["set", "method", "", "told of", "share"], rows),
    ])  # fmt: skip


def with_interval(score: dict[str, Any]) -> str:
    """A score and its interval by origin."""
    if score["interval"] is None:
        return f"{score['value']:.3f}"
    low, high = score["interval"]
    return f"{score['value']:.3f} ({low:.3f}-{high:.3f})"


def ablations(result: dict[str, Any]) -> str:
    """Small networks trained alike, the published ablations among them, on one set of panels."""
    rows = []
    for name, row in result["rows"].items():
        scores = [
            with_interval({"value": row[key], "interval": row[f"{key}_interval"]})
            for key in ("pixel_mcc", "image_mcc")
        ]
        auc = f"{row['image_auc']:.3f}"
        rows.append([name, str(row.get("steps", "")), scores[0], f"{row['pixel_f1']:.3f}",
                     scores[1], auc])  # fmt: skip
    asked, held = result["settings"], result["held"]
    task = TASKS[asked["recipe"]]
    return "\n".join([
        f"## {task}: BioTamperNet small and its ablations, trained alike\n", made_by(result),
        f"Each network learned for {asked['minutes']:g} processor minutes from the same "
        f"{asked['pool']:,} samples of {asked['size']} x {asked['size']} pixels (steps of 8) and "
        f"answers for {held['samples']} of held-out sources, {held['changed']} of them changed; "
        "all at a probability of 0.5. One seed. Unless its row says otherwise, a network has "
        "self-attention, which the weights for pairs that come with the program do without.\n",
        table(["", "steps", "pixel MCC", "pixel F1", "image MCC", "image AUC"], rows),
    ])  # fmt: skip


def parts(result: dict[str, Any]) -> str:
    """What the parts of BioTamperNet are worth: ablations of several seeds, at equal steps."""
    rows = []
    for name, row in result["rows"].items():
        cells = []
        for score in ("pixel_mcc", "image_mcc"):
            own = with_interval({"value": row[score], "interval": row[f"{score}_interval"]})
            seeds = ", ".join(f"{value:.3f}" for value in row[f"{score}_of_seeds"])
            cells += [f"{own}; {seeds}", difference(row.get("against", {}).get(score))]
        rows.append([name, *cells, f"{row['image_auc']:.3f}"])
    asked, held = result["settings"], result["held"]
    return "\n".join([
        f"## {TASKS[asked['recipe']]}: the parts of BioTamperNet small, at equal steps\n",
        made_by(result),
        f"Each network learned for {asked['steps']:,} steps of 8 from the same {asked['pool']:,} "
        f"samples of {asked['size']} x {asked['size']} pixels and answers for {held['samples']} of "
        f"held-out sources, {held['changed']} of them changed; at a probability of 0.5, all seeds "
        "pooled, then each. The network as it is has no self-attention, like the weights for "
        "pairs that come with the program; the paper's network has it. Less and "
        "more are against the network as it is, on the same samples and seeds, with intervals by "
        "source.\n",
        table(["", "pixel MCC", "less or more", "image MCC", "less or more", "image AUC"], rows),
    ])  # fmt: skip


def difference(found: dict[str, Any] | None) -> str:
    """Difference of two networks with its interval and p."""
    if found is None:
        return ""
    low, high = found["interval"] or (math.nan, math.nan)
    return f"{found['difference']:+.3f} ({low:+.3f} to {high:+.3f}), p {found['p']:.2g}"


SECTIONS = {
    "duplicates.json": duplicates,
    "seams.json": seams,
    "bench_classical.json": bench,
    "held_out_edd.json": held_out,
    "pairs_check_edd.json": ablations,
    "pairs_parts_edd.json": parts,
    "held_out_idd.json": held_out,
    "held_out_cstd.json": held_out,
    "held_out_cstd_other.json": held_out,
    "held_out_patches.json": held_out,
    "held_out_patches_other.json": held_out,
    "held_out_splices.json": held_out,
    "held_out_splices_other.json": held_out,
    "held_out_by_hand_other.json": held_out,
    "held_out_splices_microscopy.json": held_out,
    "held_out_splices_macroscopy.json": held_out,
    "screened_photographs.json": real_photographs,
}


def page() -> str:
    """Text of docs/results.md from the files that are there."""
    parts = [HEAD]
    for name, make in SECTIONS.items():
        path = RESULTS / name
        if path.is_file():
            parts.append(make(json.loads(path.read_text(encoding="utf-8"))))
    parts += evaluations()
    return "\n".join(parts)


def evaluations() -> list[str]:
    """Tables of what `tamperscope evaluate --dataset` and `robustness` wrote, if anything."""
    paths = sorted((RESULTS / "evaluation").glob("*.json"))
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [as_markdown(table) + "\n" for table in tables_of(results)] if results else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    text = page()
    if parser.parse_args().check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/results.md is not what the result files say; run python tools/tables.py")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
