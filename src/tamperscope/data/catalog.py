"""The datasets by name: how they lie on disk, under which licence, where they come from.

The list is a literal; command line, documentation and tests read it.
"""

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tamperscope.data.biofors import (
    index_biofors_cstd,
    index_biofors_edd,
    index_biofors_idd,
    index_biofors_train,
)
from tamperscope.data.biomedical import (
    index_binder,
    index_recodai,
    index_rsiid,
    index_western_blots,
)
from tamperscope.data.faces import index_ffpp
from tamperscope.data.forged import index_forged
from tamperscope.data.natural import (
    index_casia_v1,
    index_cocoglide,
    index_columbia,
    index_coverage,
    index_dso1,
    index_in_the_wild,
    index_korus,
    index_misd,
    index_nist16,
)
from tamperscope.data.neutral import (
    index_forensichub,
    index_imdlbenco,
    index_jsonl,
    index_tpgt,
)
from tamperscope.data.samples import AnySample
from tamperscope.data.social import NETWORKS, index_social_network
from tamperscope.data.training_sets import index_casia_v2, index_imd2020, index_tampcoco
from tamperscope.errors import DatasetLayoutError

RESEARCH = "none stated; given out for research"


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue."""

    index: Callable[[Path], Sequence[AnySample]]  # folder (or file) -> sorted list
    family: str  # "biomedical", "photographs", "training", "social networks" or "neutral"
    licence: str  # as far as the authors state one
    get: str  # where it comes from, in words
    tampered: tuple[int, ...] = ()  # how many the whole set has; several where sources differ
    pristine: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """First line of the reader's docstring."""
        return (inspect.getdoc(self._reader()) or "").partition("\n")[0]

    @property
    def layout(self) -> str:
        """The folder drawn, and what to know of it: the docstring of the reader.

        Where a family of readers shares one folder, their module draws it.
        """
        reader = self._reader()
        own = (inspect.getdoc(reader) or "").partition("\n")[2].strip("\n")
        return own if "root" in own else f"{own}\n\n{inspect.getdoc(inspect.getmodule(reader))}"

    def _reader(self) -> Callable[..., Sequence[AnySample]]:
        return self.index.func if isinstance(self.index, partial) else self.index


BIOFORS = "images by the link on, annotations from, the code page vimal-isi-edu/BioFors"

DATASETS: dict[str, Dataset] = {
    "biofors_edd": Dataset(index_biofors_edd, "biomedical", RESEARCH, BIOFORS, tampered=(1043,)),
    "biofors_idd": Dataset(
        index_biofors_idd, "biomedical", RESEARCH, BIOFORS, tampered=(102,), pristine=(2261,)
    ),
    "biofors_cstd": Dataset(
        index_biofors_cstd, "biomedical", RESEARCH, BIOFORS, tampered=(181,), pristine=(1534,)
    ),
    "biofors_train": Dataset(
        index_biofors_train, "biomedical", RESEARCH, BIOFORS, tampered=(0,), pristine=(30536,)
    ),
    "rsiid": Dataset(
        index_rsiid, "biomedical", "CC BY 4.0", "code page phillipecardenuto/rsiil, or Zenodo"
    ),
    "western_blots": Dataset(
        index_western_blots,
        "biomedical",
        "none stated",
        "data/ of polimi-ispl/western-blot-synthetic-manipulation-localization",
        tampered=(3306,),
        pristine=(0,),
    ),
    "recodai": Dataset(
        index_recodai,
        "biomedical",
        "rules of the competition",
        "Kaggle: Recod.ai/LUC - Scientific Image Forgery Detection",
    ),
    "binder": Dataset(
        index_binder, "biomedical", "none stated", "project page BINDER of the HMS-IDAC group"
    ),
    "columbia": Dataset(
        index_columbia,
        "photographs",
        "research only",
        "DVMM lab, Columbia University, on request",
        tampered=(180,),
        pristine=(183,),
    ),
    "dso1": Dataset(
        index_dso1,
        "photographs",
        RESEARCH,
        "project page of Carvalho et al., Unicamp",
        tampered=(100,),
        pristine=(100,),
    ),
    "casia_v1": Dataset(
        index_casia_v1,
        "photographs",
        RESEARCH,
        "images from CASIA, masks from namtpham/casia1groundtruth",
        tampered=(920, 921),
        pristine=(800,),
    ),
    "nist16": Dataset(
        index_nist16,
        "photographs",
        "agreement with NIST",
        "NIST, Nimble Challenge 2016 (registration)",
        tampered=(564,),
    ),
    "coverage": Dataset(
        index_coverage,
        "photographs",
        "non-commercial research",
        "wenbihan/coverage",
        tampered=(100,),
        pristine=(100,),
    ),
    "korus": Dataset(
        index_korus,
        "photographs",
        "research and education",
        "P. Korus' page, Realistic Tampering Dataset",
        tampered=(220,),
        pristine=(220,),
    ),
    "in_the_wild": Dataset(
        index_in_the_wild,
        "photographs",
        "none stated; pictures from the web",
        "project page of Huh et al. (self-consistency), label_in_wild",
        tampered=(201,),
        pristine=(0,),
    ),
    "cocoglide": Dataset(
        index_cocoglide,
        "photographs",
        "GRIP-UNINA, non-profit; COCO's images have their own licences",
        "grip-unina/TruFor",
        tampered=(512,),
        pristine=(512,),
    ),
    "misd": Dataset(
        index_misd,
        "photographs",
        "CC BY 4.0",
        "Zenodo record 5525829",
        tampered=(300,),
        pristine=(618,),
    ),
    "ffpp": Dataset(
        index_ffpp,
        "photographs",
        "FaceForensics terms of use",
        "ondyari/FaceForensics (form), then its own extraction script",
    ),
    "casia_v2": Dataset(
        index_casia_v2,
        "training",
        RESEARCH,
        "images from CASIA, masks from namtpham/casia2groundtruth",
        tampered=(5123,),
        pristine=(7491,),
    ),
    "imd2020": Dataset(
        index_imd2020,
        "training",
        RESEARCH,
        "UTIA Prague, IMD2020 (real-life manipulated images)",
        tampered=(2010,),
        pristine=(414,),
    ),
    "tampcoco": Dataset(
        index_tampcoco,
        "training",
        "COCO's images have their own licences",
        "mjkwon2021/CAT-Net: images on request, lists in Splicing/data",
    ),
    **{
        f"osn_{network}": Dataset(
            partial(index_social_network, network=network),
            "social networks",
            "as the original sets",
            "HighwayWu/ImageForensicsOSN",
        )
        for network in NETWORKS
    },
    "tpgt": Dataset(index_tpgt, "neutral", "yours", "a folder of your own"),
    "imdlbenco": Dataset(index_imdlbenco, "neutral", "yours", "a file of IMDL-BenCo"),
    "forensichub": Dataset(index_forensichub, "neutral", "yours", "a file of ForensicHub"),
    "jsonl": Dataset(index_jsonl, "neutral", "yours", "tamperscope datasets export --to jsonl"),
    "forged": Dataset(
        index_forged, "neutral", "as the sources it was made of", "tamperscope synth"
    ),
}


def find_dataset(name: str) -> Dataset:
    """Return the entry called ``name``.

    Raises:
        DatasetLayoutError: There is none; the message proposes the nearest.
    """
    if name in DATASETS:
        return DATASETS[name]
    near = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(DATASETS)}."
    raise DatasetLayoutError(f"No dataset is called {name!r}. {hint}")


def read_dataset(name: str, root: Path) -> list[AnySample]:
    """Read the samples of the dataset called ``name`` from ``root``; see :data:`DATASETS`.

    Raises:
        DatasetLayoutError: The name is unknown, or the folder is laid out differently.
    """
    return list(find_dataset(name).index(root))
