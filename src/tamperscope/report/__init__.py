"""findings.json, evidence pictures and one self-contained HTML page."""

from pathlib import Path

from tamperscope.records import Screening
from tamperscope.report.evidence import Masks, PixelSource, write_evidence
from tamperscope.report.findings_file import read_findings, schema, write_findings
from tamperscope.report.page import write_page

__all__ = ["read_findings", "rebuild", "schema", "write_findings", "write_report"]


def write_report(screening: Screening, pixels: PixelSource, masks: Masks, out: Path) -> Path:
    """Write ``findings.json``, the evidence pictures and ``report.html`` under ``out``.

    The same screening gives the same bytes.

    Args:
        screening: What was seen; paths of masks and pictures in it are replaced.
        pixels: Figure id -> its pixels, uint8 RGB (height, width, 3); asked for as needed.
        masks: (finding id, index of the region) -> bool mask of the region's panel, True inside.
            A region without one keeps ``mask`` None.
        out: Folder, made where it is missing.

    Returns:
        Path of ``report.html``.

    Raises:
        OutputError: Something cannot be written; the message names the file.
        ValueError: A mask does not have its panel's size, or a number is not finite.
    """
    documented = write_evidence(screening, pixels, masks, out)
    write_findings(documented, out)
    return rebuild(out)


def rebuild(out: Path) -> Path:
    """Write ``report.html`` anew from ``findings.json`` and ``evidence/`` alone.

    Raises:
        OutputError: A file is missing or broken; the message names it.
    """
    return write_page(read_findings(out), out)
