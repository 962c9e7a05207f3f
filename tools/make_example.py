"""Makes the example paper from openly licensed pictures, and says where it altered them.

    python tools/make_example.py --corpus ../shared/corpus

writes ``examples/example_paper.pdf``, ``examples/example_paper.json`` (what was altered, in pixels
of the figures as embedded) and ``examples/NOTICE.md`` (source and licence of every picture used).
The paper is a demonstration: its pictures are real, its text says what it is, and its alterations
are ours.
"""

import argparse
import csv
import io
import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pikepdf
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

GAP = 12  # pixels between panels
PAGE = (595, 842)  # A4 in points
MARGIN = 56


@dataclass
class Example:
    """The figures so far, what was altered in them, and whose pictures they are."""

    corpus: Path
    figures: dict[str, Pixels] = field(default_factory=dict)
    truth: list[dict[str, object]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    def picture(self, name: str, width: int, height: int) -> Pixels:
        """A picture of the corpus, centre-cropped to the aspect ratio and resized."""
        self.used.append(name)
        pixels = np.asarray(Image.open(self.corpus / name).convert("RGB"))
        ratio = min(pixels.shape[1] / width, pixels.shape[0] / height)
        w, h = int(width * ratio), int(height * ratio)
        y, x = (pixels.shape[0] - h) // 2, (pixels.shape[1] - w) // 2
        crop = pixels[y : y + h, x : x + w]
        return cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)

    def altered(self, kind: str, figure: str, what: str, boxes: list[list[int]]) -> None:
        """Note one alteration; boxes are [x0, y0, x1, y1] in the figure."""
        self.truth.append({"kind": kind, "figure": figure, "what": what, "boxes": boxes})


def compose(rows: list[list[Pixels]], labels: str) -> tuple[Pixels, list[tuple[int, int]]]:
    """Panels in rows on white with letters above them; also where each panel begins (x, y)."""
    letter = 34
    width = max(sum(p.shape[1] for p in row) + GAP * (len(row) + 1) for row in rows)
    height = sum(row[0].shape[0] + letter + GAP for row in rows) + GAP
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(28)
    corners, y, index = [], 0, 0
    for row in rows:
        x = GAP
        for panel in row:
            draw.text((x, y + 2), labels[index], fill="black", font=font)
            canvas.paste(Image.fromarray(panel), (x, y + letter))
            corners.append((x, y + letter))
            x += panel.shape[1] + GAP
            index += 1
        y += row[0].shape[0] + letter + GAP
    return np.asarray(canvas), corners


def scale_bar(panel: Pixels) -> Pixels:
    """The panel with a white bar and text, as micrographs carry."""
    image = Image.fromarray(panel)
    draw = ImageDraw.Draw(image)
    h, w = panel.shape[:2]
    draw.rectangle((w - 110, h - 26, w - 20, h - 20), fill="white")
    draw.text((w - 98, h - 54), "50 µm", fill="white", font=ImageFont.load_default(22))
    return np.asarray(image)


def figure_reused_field(example: Example) -> None:
    """Figure 1: four fluorescence fields; the fourth is part of the first, turned and brighter."""
    names = ("16bit__tubulin", "8bit__nuclei_PLK1_control", "16bit__bacteria_cords_thin")
    a, b, c = (example.picture(f"microscopy/NEUBIAS_xy_{name}.webp", 620, 460) for name in names)
    x0, y0, side_x, side_y = 130, 60, 330, 400
    part = np.rot90(a[y0 : y0 + side_y, x0 : x0 + side_x])  # 330 x 400, counter-clockwise
    grown = cv2.resize(part, (620, 512), interpolation=cv2.INTER_CUBIC)[26:486]
    d = np.clip(255 * (grown / 255.0) ** 0.8 * 1.1, 0, 255).astype(np.uint8)
    figure, corners = compose([[scale_bar(a), scale_bar(b)], [scale_bar(c), scale_bar(d)]], "ABCD")
    example.figures["figure1"] = figure
    (ax, ay), (dx, dy) = corners[0], corners[3]
    kept = [x0, y0, x0 + side_x, y0 + side_y]
    example.altered(
        "duplicate",
        "figure1",
        "panel D is a part of panel A, turned by 90 degrees, enlarged and brightened",
        [
            [kept[0] + ax, kept[1] + ay, kept[2] + ax, kept[3] + ay],
            [dx, dy, dx + 620, dy + 460],
        ],
    )


def figure_cloned_cells(example: Example) -> None:
    """Figure 2: histology with a group of cells cloned, beside two untouched fields."""
    a = example.picture("microscopy/scikit-image_ihc.webp", 620, 460).copy()
    b = example.picture("microscopy/Shenggan_BloodImage_00283.jpg", 620, 460)
    c = example.picture("microscopy/NEUBIAS_c_elegans_em_z0020.webp", 620, 460)
    source, target = [60, 250, 190, 400], [430, 60, 560, 210]
    sx0, sy0, sx1, sy1 = source
    patch = a[sy0:sy1, sx0:sx1]
    yy, xx = np.mgrid[0 : sy1 - sy0, 0 : sx1 - sx0]
    inside = ((yy - 75) / 72.0) ** 2 + ((xx - 65) / 62.0) ** 2 <= 1
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 2)[..., None]
    tx0, ty0, tx1, ty1 = target
    place = a[ty0:ty1, tx0:tx1]
    a[ty0:ty1, tx0:tx1] = np.round(patch * soft + place * (1 - soft)).astype(np.uint8)
    figure, corners = compose([[a, b], [c]], "ABC")
    example.figures["figure2"] = figure
    x, y = corners[0]
    boxes = [[x0 + x, y0 + y, x1 + x, y1 + y] for x0, y0, x1, y1 in (source, target)]
    example.altered("copy-move", "figure2", "a group of cells in panel A was cloned", boxes)


def figure_gels(example: Example) -> None:
    """Figures 3a and 3b, two pictures on a page: a strip of the first is mirrored in the second."""
    a = example.picture("blot/meschedl_20230613-gel-1.jpg", 1000, 520)
    b = example.picture("blot/meschedl_20240202-gel.jpg", 1000, 520).copy()
    source, target = [150, 200, 450, 480], [600, 150, 900, 430]
    x0, y0, x1, y1 = source
    u0, v0, u1, v1 = target
    b[v0:v1, u0:u1] = a[y0:y1, x0:x1][:, ::-1]
    example.figures["figure3a"], example.figures["figure3b"] = a, b
    example.altered(
        "duplicate", "figure3a+figure3b", "a strip of gel 3a was mirrored into 3b", [source, target]
    )


def figure_blot(example: Example) -> None:
    """Figure 4: a grey gel whose right third comes from another gel, and a band wiped out."""
    first = example.picture("blot/meschedl_20221010p47gel2.jpg", 1000, 420)
    other = example.picture("blot/meschedl_20220725-p47-rpl11-gel.jpg", 1000, 420)
    a = cv2.cvtColor(cv2.cvtColor(first, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    o = cv2.cvtColor(cv2.cvtColor(other, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    seam = 655
    a = a.copy()
    a[:, seam:] = o[:, seam:]
    hole = [300, 120, 380, 190]
    x0, y0, x1, y1 = hole
    a[y0:y1, x0:x1] = int(np.median(a[y0:y1, x0:x1]))
    figure, corners = compose([[a]], "A")
    example.figures["figure4"] = figure
    x, y = corners[0]
    example.altered(
        "seam",
        "figure4",
        "the right third comes from another gel",
        [[seam - 5 + x, y, seam + 5 + x, 420 + y]],
    )
    example.altered(
        "erased", "figure4", "an area was filled with one grey", [[x0 + x, y0 + y, x1 + x, y1 + y]]
    )


def figure_untouched(example: Example) -> None:
    """Figure 6: flow cytometry, plates and nuclei, nothing altered."""
    plots = [
        example.picture(f"facs/{name}.webp", 400, 400)
        for name in ("taborlab_flowcal_sample010_02", "eyurtsev_fct_CFP_Well_A4_03")
    ]
    cells = example.picture("microscopy/Shenggan_BloodImage_00077.jpg", 400, 400)
    plants = example.picture("macroscopy/danforthcenter_arabidopsis_tray.jpg", 606, 400)
    tissue = example.picture("microscopy/histolab_low-nuclei-score-level0.webp", 606, 400)
    rows = [[*plots, cells], [plants, tissue]]
    example.figures["figure6"], _ = compose(rows, "ABCDE")


def jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """JPEG bytes, 4:4:4."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


@dataclass
class Page:
    """One page being written, from top to bottom."""

    pdf: pikepdf.Pdf
    content: list[bytes] = field(default_factory=list)
    pictures: dict[str, pikepdf.Object] = field(default_factory=dict)
    y: float = PAGE[1] - MARGIN

    def text(self, words: str, size: float = 10.5, bold: bool = False, gap: float = 8) -> None:
        """Set a paragraph, wrapped by the average width of Helvetica."""
        columns = int((PAGE[0] - 2 * MARGIN) / (size * (0.54 if bold else 0.49)))
        for line in textwrap.wrap(words, columns):
            self.y -= size * 1.3
            safe = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            font = "/F2" if bold else "/F1"
            self.content.append(
                f"BT {font} {size} Tf {MARGIN} {self.y:.1f} Td ({safe}) Tj ET".encode("cp1252")
            )
        self.y -= gap

    def picture(self, data: bytes, width: int, height: int, points: float) -> None:
        """Place a JPEG as it is, ``points`` wide, centred."""
        stream = pikepdf.Stream(self.pdf, data)
        stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
        stream.Width, stream.Height = width, height
        stream.ColorSpace, stream.BitsPerComponent = pikepdf.Name.DeviceRGB, 8
        stream.Filter = pikepdf.Name.DCTDecode
        name = f"/Im{len(self.pictures)}"
        self.pictures[name] = stream
        tall = points * height / width
        self.y -= tall
        x = (PAGE[0] - points) / 2
        placed = f"q {points:.1f} 0 0 {tall:.1f} {x:.1f} {self.y:.1f} cm {name} Do Q"
        self.content.append(placed.encode())
        self.y -= 10

    def bar_chart(self, values: list[float]) -> None:
        """Draw a chart with the PDF's own lines: a vector figure, nothing to match."""
        base, left, tall = self.y - 170, MARGIN + 60, 150
        lines = [
            f"0.5 w {left} {base} m {left} {base + tall} l {left} {base} m {left + 300} {base} l S"
        ]
        for index, value in enumerate(values):
            x = left + 20 + index * 45
            lines.append(f"0.25 0.45 0.7 rg {x} {base} 28 {value * tall:.1f} re f")
            lines.append(f"0 g BT /F1 8 Tf {x + 6} {base - 12} Td (S{index + 1}) Tj ET")
        self.content.append("\n".join(lines).encode())
        self.y = base - 26

    def close(self) -> None:
        """Add the page to its document."""
        page = self.pdf.add_blank_page(page_size=PAGE)
        page.contents_add(b"\n".join(self.content))
        fonts = {
            name: pikepdf.Dictionary(
                Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1,
                BaseFont=pikepdf.Name(base), Encoding=pikepdf.Name.WinAnsiEncoding,
            )
            for name, base in (("/F1", "/Helvetica"), ("/F2", "/Helvetica-Bold"))
        }  # fmt: skip
        page.obj.Resources = pikepdf.Dictionary(
            Font=pikepdf.Dictionary(fonts), XObject=pikepdf.Dictionary(self.pictures)
        )


INTRODUCTION = [
    "This document demonstrates the screening of a manuscript. Its pictures are real and openly "
    "licensed; they come from public image collections and are credited on the last page. Five "
    "alterations were made on purpose so that a screening has something to find. They are listed "
    "on the last page as well. Nothing here reports an experiment, and nothing here says anything "
    "about the people who took the pictures.",
    "A real manuscript has text around its figures, figures made of panels, letters beside the "
    "panels, scale bars in them, and charts drawn as lines. So has this one.",
]


def write_pdf(example: Example, path: Path) -> None:
    """Lay out the paper."""
    pdf = pikepdf.Pdf.new()
    page = Page(pdf)
    page.text("A demonstration manuscript with five known alterations", 17, bold=True, gap=16)
    for paragraph in INTRODUCTION:
        page.text(paragraph)
    page.text("Figures", 13, bold=True)
    place(page, example.figures["figure1"], 470)
    page.text(
        "Figure 1. Fluorescence micrographs. (A) Microtubules. (B) Nuclei. (C) Bacteria. "
        "(D) Microtubules, second condition. Bars: drawn for the demonstration.",
        9,
    )
    page.close()

    page = Page(pdf)
    place(page, example.figures["figure2"], 470)
    page.text("Figure 2. (A) Immunohistochemistry. (B) Blood smear. (C) Electron micrograph.", 9)
    page.text("The panels are compound: one picture holds all of them, as journals receive them.")
    page.close()

    page = Page(pdf)
    place(page, example.figures["figure3a"], 440)
    page.text("Figure 3a. PCR products of the first series.", 9)
    place(page, example.figures["figure3b"], 440)
    page.text("Figure 3b. PCR products of the second series.", 9)
    page.close()

    page = Page(pdf)
    place(page, example.figures["figure4"], 440)
    page.text("Figure 4. A gel in grey, as it is printed.", 9)
    page.text("Figure 5 is a chart. It is drawn, not photographed, so there is nothing to match.")
    page.bar_chart([0.35, 0.8, 0.55, 0.95, 0.4, 0.62])
    page.text("Figure 5. Values without meaning.", 9)
    page.close()

    page = Page(pdf)
    place(page, example.figures["figure6"], 470)
    page.text("Figure 6. Nothing in this figure was altered.", 9)
    page.text("What was altered", 13, bold=True)
    for item in example.truth:
        page.text(f"{item['figure']}: {item['what']}.", 9.5, gap=2)
    page.text("Sources", 13, bold=True)
    page.text(
        "Every picture, its source and its licence are listed in examples/NOTICE.md beside "
        "this file.",
        9.5,
    )
    page.close()
    pdf.docinfo["/Title"] = "A demonstration manuscript with five known alterations"
    pdf.save(path, deterministic_id=True)


def place(page: Page, pixels: Pixels, points: float) -> None:
    """Embed one figure."""
    page.picture(jpeg(pixels), pixels.shape[1], pixels.shape[0], points)


def write_notice(example: Example, path: Path) -> None:
    """Credit every picture used, from the corpus manifest."""
    with (example.corpus / "manifest.csv").open(encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    lines = [
        "# Pictures in the example paper",
        "",
        "`example_paper.pdf` was made by `tools/make_example.py` from the pictures below, cropped",
        "and resized, and altered where `example_paper.json` says so. Licences as stated by the",
        "sources.",
        "",
        "| picture | source | file there | licence |",
        "|---|---|---|---|",
    ]
    for name in sorted(set(example.used)):
        row = rows[name]
        if row["use"] != "redistribute":
            raise SystemExit(f"{name} may not be redistributed ({row['use']})")
        cells = (Path(name).name, row["source_repo"], row["source_path"], row["licence"])
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--out", type=Path, default=Path("examples"))
    arguments = parser.parse_args()
    example = Example(arguments.corpus)
    figure_reused_field(example)
    figure_cloned_cells(example)
    figure_gels(example)
    figure_blot(example)
    figure_untouched(example)
    write_pdf(example, arguments.out / "example_paper.pdf")
    truth = {"format": "tamperscope-example/1", "alterations": example.truth}
    (arguments.out / "example_paper.json").write_text(
        json.dumps(truth, indent=1) + "\n", encoding="utf-8"
    )
    write_notice(example, arguments.out / "NOTICE.md")


if __name__ == "__main__":
    main()
