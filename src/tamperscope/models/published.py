"""Cost of other methods, as their own or competing papers print it; nothing here is measured.

One operation is one multiply-add, where the sources say so or where a network of the same table was
recounted and agreed; sizes are those of the source. Compare orders of magnitude, not decimals.
"""

from dataclasses import dataclass

FORMA_TABLE = "ForMa paper, complexity table"
FORMA_QUOTE = "quoted in ForMa's complexity table"
BIOTAMPERNET_TABLE = "BioTamperNet slides, complexity table"


@dataclass(frozen=True)
class PublishedCost:
    """One printed row."""

    method: str
    size: int  # pixels, each way
    parameters: float  # millions
    operations: float  # thousand millions
    source: str


PUBLISHED = (
    PublishedCost("ForMa", 512, 37, 42, FORMA_TABLE),
    PublishedCost("ForMa", 1024, 37, 170, FORMA_TABLE),
    PublishedCost("SparseViT", 512, 50, 46, FORMA_QUOTE),
    PublishedCost("SparseViT", 1024, 50, 185, FORMA_QUOTE),
    PublishedCost("SparseViT", 512, 50.3, 46.2, BIOTAMPERNET_TABLE),
    PublishedCost("BusterNet", 256, 15.5, 45.7, BIOTAMPERNET_TABLE),
    PublishedCost("ManTraNet", 256, 3.9, 274.0, BIOTAMPERNET_TABLE),
    PublishedCost("MONet", 512, 31.0, 78.0, BIOTAMPERNET_TABLE),
    PublishedCost("TruFor", 512, 68.7, 236.5, BIOTAMPERNET_TABLE),
    PublishedCost("BioTamperNet", 512, 36.7, 29.6, BIOTAMPERNET_TABLE),
    PublishedCost("VMamba-T", 224, 30, 4.9, "VMamba README; counts the scan"),
    PublishedCost("EfficientVMamba-B", 224, 33, 4.0, "EfficientVMamba README; counts the scan"),
)
