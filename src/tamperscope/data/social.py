"""The photographic sets after a passage through a social network (Wu et al., TIFS 2022)."""

from pathlib import Path

from tamperscope.data.folders import images_below, needed, partner
from tamperscope.data.natural import casia_group, photo
from tamperscope.data.samples import Sample, complete
from tamperscope.errors import DatasetLayoutError

NETWORKS = ("facebook", "wechat", "weibo", "whatsapp")
SETS = {  # as the folders begin: the set they hold
    "casia": "casia_v1",
    "casiav1": "casia_v1",
    "columbia": "columbia",
    "dso": "dso1",
    "nist": "nist16",
    "nist16": "nist16",
}


def index_social_network(root: Path, network: str) -> list[Sample]:
    """Tampered images of CASIA v1, Columbia, DSO-1 and NIST16 as one network gave them back.

    root/Casia_Facebook/{CM,Sp}/NAME.jpg   root/Casia_Facebook/CASIA_GT/NAME_gt.png
    root/Columbia_Facebook/NAME.jpg        root/Columbia_Facebook/Columbia_GT/NAME_gt.png
    root/DSO_Facebook/NAME.jpg             root/DSO_Facebook/DSO_GT/NAME_gt.png
    root/NIST16_Facebook/NAME.jpg          root/NIST16_Facebook/NIST16_GT/NAME_gt.png

    and so for Wechat, Weibo and Whatsapp; a folder of truths (any name ending in _GT) may also lie
    in ``root``, once for all networks. Capitals do not matter, and sets that are not there are left
    out. White marks the tampered part, also where the original set has black. The first three as
    photoholmes describes them, the fourth by analogy; none seen.

    Raises:
        DatasetLayoutError: No folder of this network is there, or a set has no folder of truths.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {NETWORKS}, got {network!r}")
    if not root.is_dir():
        raise DatasetLayoutError(f"{root} is missing or not a folder")
    samples: list[Sample] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        name, _, rest = folder.name.lower().partition("_")
        if rest != network or name not in SETS:
            continue
        masks = _truths(folder, root, name)
        images = [path for path in images_below(folder) if masks not in path.parents]
        for path in needed(images, folder, "images"):
            mask = partner(path, masks, "_gt.png", ".png")
            group = casia_group(path.stem) if SETS[name] == "casia_v1" else None
            samples.append(photo(path, mask, f"{SETS[name]}_{network}", group=group))
    return complete(needed(samples, root, f"folder like Columbia_{network.capitalize()}"))


def _truths(folder: Path, root: Path, name: str) -> Path:
    for place in (folder, root):
        for path in sorted(place.iterdir()):
            beginning, _, end = path.name.lower().rpartition("_")
            if path.is_dir() and end == "gt" and SETS.get(beginning) == SETS[name]:
                return path
    raise DatasetLayoutError(f"{folder} has no folder of truths such as {name.upper()}_GT")
