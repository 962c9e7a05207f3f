"""Datasets: a folder -> a sorted list of samples; the benchmarks of the papers by name."""

from tamperscope.data.catalog import DATASETS, Dataset, find_dataset, read_dataset
from tamperscope.data.masks import read_mask, read_pair_masks
from tamperscope.data.samples import (
    Boxes,
    MaskFiles,
    MissingPartnersError,
    PairSample,
    Sample,
    Unlocated,
)

__all__ = [
    "DATASETS",
    "Boxes",
    "Dataset",
    "MaskFiles",
    "MissingPartnersError",
    "PairSample",
    "Sample",
    "Unlocated",
    "find_dataset",
    "read_dataset",
    "read_mask",
    "read_pair_masks",
]
