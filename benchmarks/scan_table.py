"""Writes the tables of ``docs/scan.md`` from ``benchmarks/results/scan.json``.

python -m benchmarks.scan_table
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "scan.json"
PAGE = ROOT / "docs" / "scan.md"
BEGIN, END = "<!-- results: benchmarks.scan_table -->", "<!-- end of results -->"

COLUMNS = (
    "| state | stage | steps x channels | native ms | chunked ms | loop ms | loop / native "
    "| limit ms | native / limit |\n|---|---|---|---|---|---|---|---|---|\n"
)
TITLES = {
    ("selective_scan", "forward"): "`selective_scan`, forward",
    ("selective_scan", "forward+backward"): "`selective_scan`, forward and backward",
    ("ss2d", "forward"): "`ss2d`, forward (the limit is that of the kernel without the projection)",
    ("ss2d", "forward+backward"): "`ss2d`, forward and backward",
}


def number(value: float | None) -> str:
    """Three digits, or a dash."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table_row(row: dict) -> str:
    ms = {name: spread["median"] for name, spread in row["ms"].items()}
    limit = max(row["limit_ms"].values()) if "limit_ms" in row else None
    native = number(ms["native"])
    if "kernel alone" in ms:
        native += f" ({number(ms['kernel alone'])})"
    cells = [
        str(row["states"]),
        str(row["stage"]),
        f"{row['side'] ** 2} x {4 * row['channel']}",
        native,
        number(ms.get("chunked")),
        number(ms.get("loop")),
        number(row["loop_over_native"]),
        number(limit),
        number(row.get("native_over_limit")),
    ]
    return "| " + " | ".join(cells) + " |\n"


def rendered(result: dict) -> str:
    """Return the tables: batch 1 on most threads in full, then native times of every setting."""
    threads = max(row["threads"] for row in result["rows"])
    text = (
        f"Machine: {result['machine']['processor']}, {result['machine']['cpus']} processors; "
        f"torch {result['versions']['torch']}; library `{result['library']}`; "
        f"commit {result['commit']}. Medians of alternating runs, {result['clock']}, memory "
        f"{result['memory']}. "
        "A dash: not measured, because it would take minutes or gigabytes.\n"
    )
    if result["load_before"] is not None and result["load_before"] > 1:
        text += (
            f"\n**Other work was running (load {result['load_before']:.1f}): times are too long "
            "and ratios unsure.**\n"
        )
    for (operator, direction), title in TITLES.items():
        text += f"\n**{title}; batch 1, threads {threads}**\n\n{COLUMNS}"
        for row in result["rows"]:
            wanted = (operator, direction, 1, threads)
            if (row["operator"], row["pass"], *setting(row)) == wanted:
                text += table_row(row)
    return text + settings_table(result["rows"])


def setting(row: dict) -> tuple[int, int]:
    return row["batch"], row["threads"]


def settings_table(rows: list[dict]) -> str:
    """Native milliseconds, and the ratio of the loop to them, by batch size and threads."""
    settings = sorted({setting(row) for row in rows})
    heads = "".join(f" batch {batch}, threads {threads} |" for batch, threads in settings)
    text = "\n**Native ms (loop / native), every setting**\n\n| operator | pass | state | stage |"
    text += heads + "\n" + "|---" * (4 + len(settings)) + "|\n"
    cells: dict[tuple, dict] = {}
    for row in rows:
        key = (row["operator"], row["pass"], row["states"], row["stage"])
        cells.setdefault(key, {})[setting(row)] = row
    for (operator, direction, states, stage), by_setting in cells.items():
        text += f"| `{operator}` | {direction} | {states} | {stage} |"
        for which in settings:
            row = by_setting[which]
            ms = number(row["ms"]["native"]["median"])
            text += f" {ms} ({number(row['loop_over_native'])}) |"
        text += "\n"
    return text


def with_table(page: str, result: dict) -> str:
    """Return ``page`` with the tables between its two marks replaced."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{rendered(result)}{END}{after}"


def write_table(result: dict) -> None:
    """Put the tables into the docs page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_table(page, result), encoding="utf-8")


if __name__ == "__main__":
    write_table(json.loads(RESULT.read_text(encoding="utf-8")))
