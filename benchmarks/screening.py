"""Seconds and peak memory of a whole screening: a 12-page, 60-panel PDF, and real papers.

    python -m benchmarks.screening --corpus ../shared/corpus --papers ../shared/bench/papers

The PDF is made here: one compound figure of five panels a page, from corpus pictures, JPEG as
journals store them. Pictures that show several panels themselves are passed over, so that 60 panels
are 60. A second one with three times the panels shows how the cost grows. What is made is screened
without the network (--no-nets) and with it, the real papers with it. Each screening is a process of
its own, as a user runs it. Result: results/screening.json.
"""

import argparse
import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pikepdf
import psutil
from PIL import Image, ImageOps

from tamperscope.records import Figure
from tamperscope.runtime import metadata
from tamperscope.screening.panels import find_panels
from tamperscope.shipped import USUAL_TASKS, shipped_tasks

RESULT = Path(__file__).parent / "results" / "screening.json"
PANELS_A_PAGE = 5
PANEL = (420, 360)  # width, height in pixels
GAP = 10


def originals(corpus: Path, count: int, seed: int) -> list[Path]:
    """Corpus pictures of one panel each, kinds in turn, drawn without replacement."""
    with (corpus / "manifest.csv").open(encoding="utf-8") as file:
        names = sorted(row["file"] for row in csv.DictReader(file))
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(name.split("/")[0], []).append(name)
    rng = np.random.default_rng([seed, count])
    orders = {kind: list(rng.permutation(kinds[kind])) for kind in sorted(kinds)}
    weights = {"microscopy": 5, "blot": 4, "facs": 1, "macroscopy": 1, "natural": 1}
    turn = [kind for kind, weight in weights.items() for _ in range(weight)]
    picked: list[Path] = []
    while len(picked) < count:
        kind = turn[len(picked) % len(turn)]
        path = corpus / orders[kind].pop()
        if shows_one_panel(path):
            picked.append(path)
    return picked


def shows_one_panel(path: Path) -> bool:
    """Whether a picture is one panel to the splitter, and one that is looked at."""
    pixels = np.asarray(cell(path))
    figure = Figure("f1", path.name, None, PANEL[0], PANEL[1])
    panels = find_panels(figure, np.pad(pixels, ((GAP,) * 2, (GAP,) * 2, (0, 0)), mode="constant",
                                        constant_values=255))  # fmt: skip
    return len(panels) == 1 and panels[0].kind != "chart"


def cell(path: Path) -> Image.Image:
    """The middle of a picture, filling one cell of the figure."""
    with Image.open(path) as picture:
        return ImageOps.fit(picture.convert("RGB"), PANEL)


def make_pdf(pictures: list[Path], path: Path) -> None:
    """Write one compound figure of five panels a page."""
    pdf = pikepdf.Pdf.new()
    for start in range(0, len(pictures), PANELS_A_PAGE):
        width, height = 3 * PANEL[0] + 4 * GAP, 2 * PANEL[1] + 3 * GAP
        canvas = Image.new("RGB", (width, height), "white")
        for index, picture in enumerate(pictures[start : start + PANELS_A_PAGE]):
            x = GAP + (index % 3) * (PANEL[0] + GAP)
            y = GAP + (index // 3) * (PANEL[1] + GAP)
            canvas.paste(cell(picture), (x, y))
        buffer = io.BytesIO()
        canvas.save(buffer, "JPEG", quality=90)
        page = pdf.add_blank_page(page_size=(595, 842))
        stream = pikepdf.Stream(pdf, buffer.getvalue())
        stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
        stream.Width, stream.Height = width, height
        stream.ColorSpace, stream.BitsPerComponent = pikepdf.Name.DeviceRGB, 8
        stream.Filter = pikepdf.Name.DCTDecode
        page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary({"/Im0": stream}))
        page.contents_add(b"q 495 0 0 300 50 450 cm /Im0 Do Q")
    pdf.save(path, deterministic_id=True)


def peak_of_tree(process: psutil.Process, stop: threading.Event, peak: list[int]) -> None:
    """Keep the largest sum of resident memory of a process and its children, in bytes."""
    while not stop.wait(0.05):
        total = 0
        try:
            for one in [process, *process.children(recursive=True)]:
                total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak[0] = max(peak[0], total)


def screen(path: Path, jobs: int, nets: bool) -> dict[str, object]:
    """Screen one document in a process of its own and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-c", "from tamperscope.cli import main; main()",
                   "screen", str(path), "--out", str(out), "--jobs", str(jobs),
                   *(() if nets else ("--no-nets",))]  # fmt: skip
        started = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        stop, peak = threading.Event(), [0]
        watcher = threading.Thread(
            target=peak_of_tree, args=(psutil.Process(process.pid), stop, peak)
        )
        watcher.start()
        _, errors = process.communicate()
        seconds = time.monotonic() - started
        stop.set()
        watcher.join()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            sys.exit(f"{path.name}: exit {process.returncode}: {errors.decode()[-2000:]}")
        result = json.loads((out / "findings.json").read_text(encoding="utf-8"))
        size = (out / "report.html").stat().st_size
    panels = [panel for figure in result["figures"] for panel in figure["panels"]]
    return {
        "document": path.name,
        "network": bool(result["run"]["parameters"]["networks"]),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "peak_mb": round(peak[0] / 2**20),
        "figures": len(result["figures"]),
        "panels": len(panels),
        "panels_matched": sum(panel["kind"] != "chart" for panel in panels),
        "findings": [finding["kind"] for finding in result["findings"]],
        "unread": len(result["unread"]),
        "report_mb": round(size / 2**20, 1),
        "notes": result["notes"],
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--papers", type=Path, default=Path("../shared/bench/papers"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--panels", type=int, nargs="+", default=[60, 180])
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for panels in options.panels:
            path = Path(folder) / f"made_{panels // PANELS_A_PAGE}_pages_{panels}_panels.pdf"
            make_pdf(originals(options.corpus, panels, options.seed), path)
            for nets in (False, True) if shipped_tasks(USUAL_TASKS) else (False,):
                rows.append(screen(path, options.jobs, nets))
                print(json.dumps(rows[-1]), flush=True)
    for path in sorted(options.papers.glob("*.pdf")):
        rows.append(screen(path, options.jobs, nets=True))
        print(json.dumps(rows[-1]), flush=True)
    block = metadata(seed=options.seed, jobs=options.jobs)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"metadata": block, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
