"""Result files as tables, with the rows that papers print beside them.

Every row says where it comes from: "published" with the place in the paper, or "measured here" with
the commit. The two are never mixed in one row. A score that does not exist is a dash.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tamperscope.data.catalog import find_dataset
from tamperscope.evaluation.biofors import COMBINED
from tamperscope.evaluation.photographs import averages
from tamperscope.evaluation.published import find_table
from tamperscope.evaluation.subsets import POOLED
from tamperscope.evaluation.table_parts import (
    DASH,
    FORMAT,
    ROBUSTNESS,
    Result,
    ResultFileError,
    Table,
    cell,
    origin,
    published_rows,
    with_interval,
)


def tables_of(results: Sequence[Result], *, published: bool = True) -> list[Table]:
    """Put results into tables, those of one protocol and task together.

    Raises:
        ResultFileError: A result is of another format.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        if result.get("format") == ROBUSTNESS:
            groups.setdefault(ROBUSTNESS, []).append(result)
            continue
        if result.get("format") != FORMAT:
            raise ResultFileError(
                f"a result of the format {result.get('format')!r} has no place in a table; give "
                f"files that 'tamperscope evaluate --dataset' wrote ({FORMAT})"
            )
        protocol = result["setting"]["protocol"]
        name = result["setting"]["dataset"] if protocol == "biofors" else protocol
        groups.setdefault(name, []).append(result)
    tables = []
    for name, own in groups.items():
        tables.append(BUILDERS[name](own, published))
        if name == "photographs":
            tables.append(_photograph_details(own))
            tables += _operations(own)
        elif name in DETAILED:
            tables.append(_biofors_details(own))
    return tables


def _biofors(results: Sequence[Result], published: bool) -> Table:
    """EDD and IDD: MCC of images and pixels per category."""
    task = results[0]["setting"]["dataset"].removeprefix("biofors_")
    paper = find_table(f"biotampernet/{task}")
    columns = ["Microscopy", "Blot/Gel", "Macroscopy", "FACS", COMBINED]
    if task == "idd":
        columns.remove("FACS")
    rows = published_rows(paper, columns) if published else []
    for result in results:
        for area_th in dict.fromkeys(entry["area_th"] for entry in result["entries"]):
            own = {e["category"]: e for e in result["entries"] if e["area_th"] == area_th}
            name = result["method"]["name"]
            label = name if area_th is None else f"{name}, area filter {area_th:g}"
            for form in _forms(result):
                cells = [
                    cell(*(_score(own[c], level, form, "mcc") for level in ("image", "pixel")))
                    if c in own
                    else DASH
                    for c in columns
                ]
                rows.append([label, f"{origin(result)}{_form_note(form)}", *cells])
    notes = ["MCC of images (or pairs) / of pixels, pooled; Combined counts all categories."]
    return _table(f"BioFors {task.upper()}", ["method", "from", *columns], rows, notes)


def _cstd(results: Sequence[Result], published: bool) -> Table:
    rows = published_rows(find_table("biotampernet/cstd")) if published else []
    for result in results:
        (entry,) = (e for e in result["entries"] if e["category"] == COMBINED)
        for form in _forms(result):
            cells = [
                cell(*(_score(entry, level, form, name) for level in ("image", "pixel")))
                for name in ("f1", "mcc")
            ]
            label = f"{origin(result)}{_form_note(form)}"
            rows.append([result["method"]["name"], label, *cells])
    notes = ["Of images / of pixels, pooled over the blots of the CSTD documents."]
    return _table("BioFors CSTD", ["method", "from", "F1", "MCC"], rows, notes)


def _biofors_details(results: Sequence[Result]) -> Table:
    """One row per area filter, category, level and form: counts and every score."""
    rows = []
    for result in results:
        for entry in result["entries"]:
            for level in ("image", "pixel"):
                found = entry[level]
                for form in _forms(result):
                    rows.append(_biofors_row(result, entry, level, form, found))
    head = [
        "method", "from", "area filter", "category", "units (missing)", "level", "TP", "FP", "TN",
        "FN", "accuracy", "precision", "recall", "F1", "MCC", "TS",
    ]  # fmt: skip
    notes = [
        "MCC with 95 % intervals by document. TS is TP / (TP + FP + FN). Where the scripts stop at "
        "a division by zero they print nothing; 'nan' is what they print.",
    ]
    task = results[0]["setting"]["dataset"].removeprefix("biofors_").upper()
    return _table(f"BioFors {task}, count by count", head, rows, notes)


def _biofors_row(
    result: Result, entry: dict[str, Any], level: str, form: str, found: dict[str, Any]
) -> list[str]:
    counts, scores = found["counts"], found[form] or {}
    mcc = scores.get("mcc")
    interval = found["mcc_interval"] if form == "corrected" else None
    return [
        result["method"]["name"],
        f"{origin(result)}{_form_note(form)}",
        DASH if entry["area_th"] is None else f"{entry['area_th']:g}",
        entry["category"],
        f"{entry['units']} ({entry['missing']})",
        level,
        *(str(counts[name]) for name in ("hits", "false_alarms", "rejections", "misses")),
        *(cell(scores.get(name), digits=4) for name in ("accuracy", "precision", "recall", "f1")),
        cell(mcc, digits=4) if interval is None else with_interval(mcc, interval),
        cell(scores.get("ts"), digits=4),
    ]


def _forms(result: Result) -> tuple[str, ...]:
    return ("corrected", "legacy") if result["setting"]["legacy"] else ("corrected",)


def _form_note(form: str) -> str:
    return ", the scripts' arithmetic" if form == "legacy" else ""


def _score(entry: dict[str, Any], level: str, form: str, name: str) -> float | str | None:
    scores = entry[level][form]
    value: float | str | None = None if scores is None else scores[name]
    return value


def _photographs(results: Sequence[Result], published: bool) -> Table:
    """One row per method: F1/IoU per set, and both means over the sets that were measured."""
    names = list(dict.fromkeys(s["set"] for result in results for s in result["sets"]))
    rows = []
    datasets = {result["setting"]["dataset"] for result in results}
    if published and any(find_dataset(name).family == "photographs" for name in datasets):
        for key, place in (("weighted", 0), ("plain", 1)):
            for paper in ("forma", "loma"):
                table = find_table(f"{paper}/{key}")
                for method, row in table.rows.items():
                    means = [DASH, DASH]
                    means[place] = cell(*row[0], digits=1)
                    rows.append([method, table.origin, *[DASH] * len(names), *means])
    for (name, sizes), own in _by_method(results).items():
        sets = {s["set"]: s for result in own for s in result["sets"]}
        both = averages(list(sets.values()))
        cells = [_per_cent(sets[n]) if n in sets else DASH for n in names]
        means = [_per_cent(both["weighted"]), _per_cent(both["plain"])]
        rows.append([name, f"{origin(own[0])}, {sizes}", *cells, *means])
    count = len(names)
    head = ["method", "from", *names, "weighted by images", "plain mean over sets"]
    notes = [
        "F1/IoU in per cent; pictures whose truth marks nothing are left out.",
        f"Means measured here are over the {count} set{'s' * (count != 1)} above, published ones "
        "over the ten sets of the papers.",
    ]
    return _table("Photographs", head, rows, notes)


def _photograph_details(results: Sequence[Result]) -> Table:
    """One row per set and method: what the papers' table does not show."""
    rows = []
    for result in results:
        for scores in result["sets"]:
            graded, pristine = scores["graded"] or {}, scores["pristine"]
            alarms = DASH
            if pristine is not None:
                area = 100 * pristine["false_alarm_area"]
                alarms = f"{area:.2f} % of {pristine['images']}"
            rows.append([
                result["method"]["name"], f"{origin(result)}, sizes {result['sizes']}",
                scores["set"], f"{scores['tampered']} + {scores['empty_truths']}",
                with_interval(scores["f1"], scores["f1_interval"]),
                with_interval(scores["iou"], scores["iou_interval"]),
                cell(scores["mcc"]), cell(graded.get("auc")), cell(graded.get("best_f1")),
                alarms, cell(scores["legacy"]["f1"], scores["legacy"]["iou"]),
            ])  # fmt: skip
    head = [
        "method", "from", "set", "tampered + empty truths", "F1", "IoU", "MCC", "pixel AUC",
        "best F1 (oracle)", "false-alarm area on pristine", "F1/IoU, the papers' zeros",
    ]  # fmt: skip
    notes = [
        "Means over tampered pictures, with 95 % intervals by scene. MCC is 0 where nothing was "
        "marked. AUC and the oracle, which takes the best threshold of every picture with the "
        "truth in hand, need heatmaps. The last column counts an empty truth as 0.",
    ]
    return _table("Photographs, set by set", head, rows, notes)


def _operations(results: Sequence[Result]) -> list[Table]:
    """One row per method, set and operation; no table where no set tells of any."""
    rows = [
        [
            result["method"]["name"], origin(result), scores["set"], name, str(part["images"]),
            with_interval(part["f1"], part["f1_interval"]), cell(part["iou"]), cell(part["auc"]),
        ]
        for result in results
        for scores in result["sets"]
        for name, part in scores.get("operations", {}).items()  # files of before have none
    ]  # fmt: skip
    head = ["method", "from", "set", "operation", "pictures", "F1", "IoU", "pixel AUC"]
    notes = ["Means over tampered pictures, with 95 % intervals by scene."]
    return [_table("Photographs, by what was done to them", head, rows, notes)] if rows else []


def _by_method(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault((result["method"]["name"], f"sizes {result['sizes']}"), []).append(result)
    return found


def _per_cent(scores: dict[str, Any]) -> str:
    values = (None if scores[n] is None else 100 * scores[n] for n in ("f1", "iou"))
    return cell(*values, digits=1)


def _subsets(results: Sequence[Result], published: bool) -> Table:
    names = list(dict.fromkeys(s["set"] for r in results for s in r["sets"] if s["set"] != POOLED))
    rows = []
    datasets = {result["setting"]["dataset"] for result in results}
    columns = {"rsiid": "RSIID", "western_blots": "Western Blots"}
    paper = find_table("biotampernet/integrity")
    for dataset in sorted(datasets) if published else ():
        for method, row in paper.rows.items():
            value = cell(*row[paper.columns.index(columns[dataset])])
            label = f"{paper.origin}; {columns[dataset]}"
            rows.append([method, label, *[DASH] * len(names), DASH, DASH, value])
    for result in results:
        own = {s["set"]: s for s in result["sets"]}
        cells = [
            with_interval(own[n]["mcc"], own[n]["mcc_interval"]) if n in own else DASH
            for n in (*names, POOLED)
        ]
        plain = cell(result["plain_mcc"])
        rows.append([result["method"]["name"], origin(result), *cells, plain, DASH])
    head = [
        "method", "from", *names, "all pixels pooled", "plain mean over subsets",
        "printed; subset and pooling not stated",
    ]  # fmt: skip
    notes = ["Pixel MCC with 95 % intervals by source; 0 where nothing was marked."]
    return _table("Western blots and RSIID", head, rows, notes)


def _recodai(results: Sequence[Result], published: bool) -> Table:
    rows = [
        [
            result["method"]["name"],
            origin(result),
            with_interval(result["of1"], result["of1_interval"]),
            cell(result["floor"]),
            f"{cell(result['of1_forged'])}, n = {result['forged']}",
            f"{cell(result['of1_authentic'])}, n = {result['authentic']}",
        ]
        for result in results
    ]
    head = ["method", "from", "oF1", 'floor: "authentic" everywhere', "forged", "authentic"]
    return _table("Recod.ai/LUC", head, rows, ["An oF1 at or below the floor is worth nothing."])


def _robustness(results: Sequence[Result], published: bool) -> Table:
    """One row per change and level, one column per method and score."""
    columns = [(result, name) for result in results for name in result["points"][0]["scores"]]
    places = dict.fromkeys((p["family"], p["level"]) for r in results for p in r["points"])
    points = [{(p["family"], p["level"]): p["scores"] for p in r["points"]} for r in results]
    rows = []
    for place in places:
        cells = []
        for result, name in columns:
            scores = points[results.index(result)].get(place)
            cells.append(
                DASH
                if scores is None
                else with_interval(scores[name]["value"], scores[name]["interval"])
            )
        rows.append([place[0], DASH if place[1] is None else f"{place[1]:g}", *cells])
    head = ["change", "level", *(f"{r['method']['name']}: {name}" for r, name in columns)]
    notes = [
        "95 % intervals by document or scene.",
        *(f"{r['method']['name']}: {origin(r)}, {r['setting']['dataset']}" for r in results),
    ]
    return _table("Under changes of the pictures", head, rows, notes)


def _table(title: str, head: list[str], rows: list[list[str]], notes: list[str]) -> Table:
    return Table(title, tuple(head), tuple(tuple(row) for row in rows), tuple(notes))


DETAILED = ("biofors_edd", "biofors_idd", "biofors_cstd")
BUILDERS: dict[str, Callable[[Sequence[Result], bool], Table]] = {
    "biofors_edd": _biofors,
    "biofors_idd": _biofors,
    "biofors_cstd": _cstd,
    "photographs": _photographs,
    "subsets": _subsets,
    "recodai": _recodai,
    ROBUSTNESS: _robustness,
}
