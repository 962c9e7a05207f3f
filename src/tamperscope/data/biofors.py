"""Reads BioFors (Sabir et al., ICCV 2021): its three tasks, from its own annotation files.

    root/biofors_images/DOC/PANEL.png
    root/annotation_files/classification.json     {DOC: {PANEL: category}}
    root/annotation_files/edd_gt.json             {DOC: {"A.png B.png": [boxes in A, boxes in B]}}
    root/annotation_files/idd_gt.json             {DOC: {PANEL: boxes}}, and so cstd_gt.json
    root/annotation_files/edd_test_pairs.json     {DOC: {category: ["A.png B.png", ...]}}, optional
    root/annotation_files/{train,test,edd,idd,cstd}_pdfs.pkl   (or .json): documents of each part

A box is [x0, y0, x1, y1], its end excluded, in pixels of the panel. The populations are those of
the authors' evaluation: IDD all panels but FACS of the IDD documents, CSTD all blots of the CSTD
documents, EDD the listed pairs. The list of pairs is missing from the published repository; without
it every two panels of one document and one category are a pair, and each says so (``listed``).
Annotations as published; the images were not seen.

The document lists are pickles of plain strings. They are not unpickled: their opcodes are read as
data, and anything but a list of strings is refused.
"""

import json
import pickletools
from itertools import combinations
from pathlib import Path
from typing import Any

from tamperscope.data.samples import Boxes, PairSample, Sample, complete
from tamperscope.errors import DatasetLayoutError
from tamperscope.images import read_file

KIND_OF = {  # the set's category: ours
    "Blot/Gel": "blot",
    "Microscopy": "microscopy",
    "Macroscopy": "macroscopy",
    "FACS": "facs",
}
IDD_CATEGORIES = ("Blot/Gel", "Microscopy", "Macroscopy")
CSTD_CATEGORIES = ("Blot/Gel",)
STRING_OPCODES = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
LIST_OPCODES = {
    "PROTO", "FRAME", "EMPTY_LIST", "LIST", "MARK", "APPEND", "APPENDS", "STOP",
    "BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE",
}  # fmt: skip

Categories = dict[str, dict[str, str]]


def index_biofors_idd(root: Path) -> list[Sample]:
    """Internal duplication: 2,363 panels of 54 documents, 102 with boxes on every copy."""
    return complete(_panels(root, "idd", IDD_CATEGORIES))


def index_biofors_cstd(root: Path) -> list[Sample]:
    """Cut or sharp transition: 1,715 blots of 61 documents, 181 with boxes on seams or patches."""
    return complete(_panels(root, "cstd", CSTD_CATEGORIES))


def index_biofors_train(root: Path) -> list[Sample]:
    """Panels of the 696 training documents: 30,536, all pristine."""
    categories = read_categories(root)
    return complete(
        panel_sample(root, document, panel, category, None, "train")
        for document in read_documents(root, "train")
        for panel, category in panels_of(categories, document, root).items()
    )


def index_biofors_edd(root: Path) -> list[PairSample]:
    """External duplication: pairs of panels of 308 documents, 1,043 with boxes in both.

    Without the list of pairs every two panels of one document and category: 382,117 pairs.
    """
    categories = read_categories(root)
    truths = read_json(root, "edd_gt.json")
    listed = annotation(root, "edd_test_pairs.json").is_file()
    names = read_json(root, "edd_test_pairs.json") if listed else None
    pairs = []
    for document in read_documents(root, "edd"):
        panels = panels_of(categories, document, root)
        told = {tuple(key.split()): boxes for key, boxes in truths.get(document, {}).items()}
        unused = set(told)
        for a, b in _pair_names(document, panels, names, root):
            boxes = told.get((a, b))
            if (b, a) in told:  # the order of the list is kept: predictions are filed by it
                boxes = list(reversed(told[b, a]))
            unused -= {(a, b), (b, a)}
            pairs.append(_pair(root, document, panels, (a, b), boxes, listed))
        if unused:
            raise DatasetLayoutError(
                f"{annotation(root, 'edd_gt.json')}: document {document} has truths for pairs that "
                f"are not among its pairs: {', '.join(' '.join(key) for key in sorted(unused))}"
            )
    return complete(pairs)


def _pair_names(
    document: str, panels: dict[str, str], names: Any, root: Path
) -> list[tuple[str, str]]:
    if names is None:
        return [two for two in combinations(sorted(panels), 2) if panels[two[0]] == panels[two[1]]]
    found = []
    for keys in names.get(document, {}).values():
        for key in keys:
            two = tuple(key.split())
            if len(two) != 2 or not set(two) <= panels.keys():
                raise DatasetLayoutError(
                    f"{annotation(root, 'edd_test_pairs.json')}: document {document} lists {key!r},"
                    " which is not two of its panels"
                )
            found.append((two[0], two[1]))
    return found


def _pair(
    root: Path,
    document: str,
    panels: dict[str, str],
    names: tuple[str, str],
    boxes: Any,
    listed: bool,
) -> PairSample:
    both = boxes or (None, None)
    a, b = (
        panel_sample(root, document, name, panels[name], some, "test")
        for name, some in zip(names, both, strict=True)
    )
    return PairSample(
        a,
        b,
        related=boxes is not None,
        source="biofors_edd",
        group=document,
        split="test",
        kind=a.kind,
        listed=listed,
    )


def _panels(root: Path, task: str, wanted: tuple[str, ...]) -> list[Sample]:
    categories = read_categories(root)
    truths = read_json(root, f"{task}_gt.json")
    samples = []
    source = f"biofors_{task}"
    for document in read_documents(root, task):
        panels = panels_of(categories, document, root)
        told = truths.get(document, {})
        if unknown := told.keys() - panels.keys():
            raise DatasetLayoutError(
                f"{annotation(root, f'{task}_gt.json')}: document {document} has truths for panels "
                f"without a category: {', '.join(sorted(unknown))}"
            )
        samples += [
            panel_sample(root, document, panel, category, told.get(panel), "test", source)
            for panel, category in panels.items()
            if category in wanted
        ]
    return samples


def panel_sample(
    root: Path,
    document: str,
    panel: str,
    category: str,
    boxes: Any,
    split: str,
    source: str = "biofors",
) -> Sample:
    """Make the sample of one panel; ``boxes`` is what the annotation holds, None if pristine."""
    if category not in KIND_OF:
        raise DatasetLayoutError(
            f"{annotation(root, 'classification.json')}: {document}/{panel} is a {category!r}; "
            f"known are {', '.join(KIND_OF)}"
        )
    try:
        truth = None if boxes is None else Boxes(tuple((a, b, c, d) for a, b, c, d in boxes))
    except (TypeError, ValueError) as error:
        raise DatasetLayoutError(
            f"{root / 'annotation_files'}: the boxes of {document}/{panel} are broken: {error}"
        ) from error
    path = root / "biofors_images" / document / panel
    return Sample(path, truth, source, group=document, split=split, kind=KIND_OF[category])


def annotation(root: Path, name: str) -> Path:
    """Path of an annotation file."""
    return root / "annotation_files" / name


def read_categories(root: Path) -> Categories:
    """Read the category of every panel of every document."""
    categories: Categories = read_json(root, "classification.json")
    return categories


def panels_of(categories: Categories, document: str, root: Path) -> dict[str, str]:
    """Return the panels of a document with their categories, or an error if it is not known."""
    if document not in categories:
        raise DatasetLayoutError(
            f"{annotation(root, 'classification.json')} lacks the document {document}"
        )
    return categories[document]


def read_json(root: Path, name: str) -> Any:
    """Read an annotation file that holds a JSON object."""
    path = annotation(root, name)
    if not path.is_file():
        raise DatasetLayoutError(f"{path} is missing; put BioFors' annotation_files/ into {root}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetLayoutError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise DatasetLayoutError(f"{path} holds no JSON object")
    return data


def read_documents(root: Path, part: str) -> list[str]:
    """Read the documents of a part: train, test, edd, idd or cstd; sorted."""
    plain = annotation(root, f"{part}_pdfs.json")
    if plain.is_file():
        try:
            names = json.loads(plain.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DatasetLayoutError(f"{plain} is not JSON: {error}") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DatasetLayoutError(f"{plain} holds no JSON list of strings")
        return sorted(names)
    pickled = annotation(root, f"{part}_pdfs.pkl")
    if not pickled.is_file():
        raise DatasetLayoutError(f"{pickled} is missing, and so is {plain.name}")
    return sorted(strings_in_pickle(pickled))


def strings_in_pickle(path: Path) -> list[str]:
    """Read a pickle that holds nothing but one list of strings, without running any of it.

    Raises:
        DatasetLayoutError: The file has an opcode that a plain list of strings does not need.
    """
    found = []
    try:
        for opcode, value, _ in pickletools.genops(read_file(path)):
            if opcode.name in STRING_OPCODES:
                found.append(str(value))
            elif opcode.name not in LIST_OPCODES:
                raise DatasetLayoutError(
                    f"{path} holds more than a list of strings (opcode {opcode.name}) and is not "
                    f"read; write the list as JSON into {path.with_suffix('.json').name}"
                )
    except (ValueError, UnicodeDecodeError) as error:
        raise DatasetLayoutError(f"{path} is not a pickle: {error}") from error
    return found
