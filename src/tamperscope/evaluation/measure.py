"""Runs one method over one dataset: a record for every sample, then the protocol's summary.

The protocol follows from the dataset: BioFors' own for its three tasks, oF1 for Recod.ai, pixel MCC
per subset for the Western blots and RSIID, and the photograph protocol for everything else. A
sample that cannot be measured because of the *dataset* (an unreadable picture, a truth of another
size) is recorded with the reason and left out; a prediction that does not fit is an error.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tamperscope.data.masks import read_mask
from tamperscope.data.samples import AnySample, PairSample, Sample
from tamperscope.errors import DatasetLayoutError, UnreadableInputError
from tamperscope.evaluation import biofors, metrics, photographs, recodai, subsets
from tamperscope.evaluation.journal import Record
from tamperscope.evaluation.mask_folder import MaskFolder
from tamperscope.evaluation.metrics import Mask
from tamperscope.evaluation.predictions import Prediction, PredictionError, Predictor
from tamperscope.evaluation.scoring import Size, heatmap_at, score_picture, truth_at
from tamperscope.images import read_file, read_pixels

BIOFORS = {f"biofors_{task}": task for task in biofors.TASKS}


@dataclass(frozen=True)
class Setting:
    """How a dataset is scored."""

    dataset: str  # name in data.catalog.DATASETS
    threshold: float = 0.5  # pixels of a heatmap above it are marked
    score_size: Size | None = None  # bring truth and prediction to it first, as LoMa does
    resize_masks: bool = False  # bring truths of another size to the picture's, instead of skipping
    legacy: bool = False  # BioFors: treat missing and grey predictions as its scripts do

    @property
    def protocol(self) -> str:
        """One of biofors, recodai, subsets and photographs."""
        if self.dataset in BIOFORS:
            return "biofors"
        if self.dataset == "recodai":
            return "recodai"
        return "subsets" if self.dataset in ("western_blots", "rsiid") else "photographs"


@dataclass(frozen=True)
class Measurement:
    """Everything that is needed to score one sample by its key; picklable where the method is."""

    samples: dict[str, AnySample]
    predictor: Predictor
    setting: Setting

    def __call__(self, key: str) -> Record:
        """Score one sample; ``skipped`` holds the reason where the dataset does not allow it."""
        sample = self.samples[key]
        try:
            truths = self._truths(sample)
        except (DatasetLayoutError, UnreadableInputError) as error:
            return {"set": subsets.subset_of(sample), "skipped": str(error)}
        if self.setting.protocol == "biofors":
            return self._biofors(sample, truths)
        if isinstance(sample, PairSample):
            raise TypeError(f"{key} is a pair, and {self.setting.dataset} has no protocol for it")
        return self._picture(sample, read_pixels(sample.image), truths[0])

    def _truths(self, sample: AnySample) -> list[Mask]:
        sides = (sample.a, sample.b) if isinstance(sample, PairSample) else (sample,)
        return [read_mask(side, resize=self.setting.resize_masks) for side in sides]

    def _picture(self, sample: Sample, pixels: np.ndarray, truth: Mask) -> Record:
        labelled = sample.truth is not None
        record: Record = {
            "set": subsets.subset_of(sample),
            "group": sample.group,
            "operation": sample.operation,
            "labelled": labelled,
            "tampered": bool(truth.any()),
        }
        if labelled and not truth.any() and self.setting.protocol == "recodai":
            return record | {"skipped": f"{sample.image}: forged, but its truth marks nothing"}
        prediction = self.predictor.on_picture(sample, pixels)
        heatmap, threshold = prediction.heatmap, self.setting.threshold
        if self.setting.protocol == "recodai":
            mask = heatmap > threshold
            regions = self._regions(prediction, mask)
            score = recodai.of1(regions, recodai.true_regions(sample))
            counts = asdict(metrics.count(mask, truth))
            return record | {"of1": score, "regions": len(regions), "counts": counts}
        if self.setting.score_size is not None:
            truth = truth_at(truth, self.setting.score_size)
            heatmap = heatmap_at(heatmap, self.setting.score_size, graded=prediction.graded)
        record["tampered"] = bool(truth.any())
        return record | score_picture(heatmap, truth, threshold=threshold)

    def _regions(self, prediction: Prediction, mask: Mask) -> list[recodai.Region]:
        planes = prediction.planes
        return recodai.parts_of(mask) if planes is None else recodai.regions_of(planes)

    def _biofors(self, sample: AnySample, truths: list[Mask]) -> Record:
        masks = self._masks(sample, [truth.shape for truth in truths])
        category = biofors.CATEGORY_OF[sample.kind or ""]
        record: Record = {
            "set": sample.source,
            "group": sample.group,
            "category": category,
            "tampered": any(bool(truth.any()) for truth in truths),
            "missing": int(masks is None),
        }
        rule = biofors.LEGACY[BIOFORS[self.setting.dataset]]
        if masks is None and rule.missing == "skip":
            return record | {"filters": None}
        if masks is None:
            masks = [np.zeros_like(truth) for truth in truths]
        thresholds = biofors.AREA_THRESHOLDS if isinstance(sample, PairSample) else (None,)
        record["filters"] = [_filtered(masks, truths, area_th) for area_th in thresholds]
        return record

    def _masks(self, sample: AnySample, sizes: list[tuple[int, ...]]) -> list[Mask] | None:
        """Masks of a panel or of both of a pair; None where a file is missing and may be."""
        pair = sample if isinstance(sample, PairSample) else None
        sides = (pair.a, pair.b) if pair else (sample,)
        if not isinstance(self.predictor, MaskFolder):
            if pair:
                predictions = list(self.predictor.on_pair(pair))
            else:
                assert isinstance(sample, Sample)
                predictions = [self.predictor.on_picture(sample, read_pixels(sample.image))]
            return [prediction.heatmap > self.setting.threshold for prediction in predictions]
        masks = []
        for side, size in zip(sides, sizes, strict=True):
            assert isinstance(side, Sample)
            path = self.predictor.find(side, pair)
            if path is None:
                return None
            masks.append(self._read(path, size))
        return masks

    def _read(self, path: Path, size: tuple[int, ...]) -> Mask:
        grey = self.setting.legacy and biofors.LEGACY[BIOFORS[self.setting.dataset]].grey
        try:
            data = read_file(path)
        except UnreadableInputError as error:
            raise PredictionError(str(error)) from error
        mask = biofors.read_binary_mask(data, str(path), grey=grey)
        if mask.shape != size:
            raise PredictionError(
                f"{path} is {mask.shape[1]} x {mask.shape[0]}, its panel {size[1]} x {size[0]} "
                "pixels; BioFors' protocol never scales a mask"
            )
        return mask


def _filtered(masks: list[Mask], truths: list[Mask], area_th: float | None) -> dict[str, Any]:
    if area_th is not None:
        masks = [biofors.area_filter(mask, area_th) for mask in masks]
    counts = metrics.Counts()
    for mask, truth in zip(masks, truths, strict=True):
        counts += metrics.count(mask, truth)
    flagged = any(bool(mask.any()) for mask in masks)
    return {"area_th": area_th, "flagged": flagged, "counts": asdict(counts)}


def may_lack(setting: Setting) -> bool:
    """Whether predictions may be missing: only where BioFors' script for the task lets them."""
    task = BIOFORS.get(setting.dataset)
    return bool(setting.legacy and task and biofors.LEGACY[task].missing != "error")


def summarise(setting: Setting, records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Summary of the records by the protocol of the dataset, and what was skipped."""
    skipped = [record for record in records if "skipped" in record]
    kept = [record for record in records if "skipped" not in record]
    summary: dict[str, Any] = {"measured": len(kept)}
    summary["skipped"] = [{"key": r["key"], "why": r["skipped"]} for r in skipped]
    if setting.protocol == "biofors":
        task = BIOFORS[setting.dataset]
        return summary | {"entries": biofors.summarise(task, kept, seed)}
    if setting.protocol == "recodai":
        return summary | recodai.summarise(kept, seed)
    if setting.protocol == "subsets":
        return summary | subsets.summarise(kept, seed)
    return summary | photographs.summarise(kept, seed)


def setting_as_json(setting: Setting) -> dict[str, Any]:
    """Setting for the header of a journal and the result file."""
    return {**asdict(setting), "protocol": setting.protocol}
