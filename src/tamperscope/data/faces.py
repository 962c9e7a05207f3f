"""FaceForensics++ as frames; the set itself holds videos."""

from pathlib import Path

from tamperscope.data.folders import first_folder, images_in, needed
from tamperscope.data.samples import MaskFiles, Sample, complete

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def index_ffpp(root: Path, compression: str = "c23") -> list[Sample]:
    """FaceForensics++ (Rössler et al. 2019), frames taken out by its own extraction script.

    root/original_sequences/youtube/COMPRESSION/images/ID/FRAME.png
    root/manipulated_sequences/METHOD/COMPRESSION/images/ID_ID/FRAME.png
    root/manipulated_sequences/METHOD/masks/images/ID_ID/FRAME.png    (bright marks the face)

    with METHOD one of Deepfakes, Face2Face, FaceSwap, NeuralTextures; the ones that are there are
    read. A video named A_B shows person A with B's face; A_B, B_A and both originals are one group,
    as in the official split. Layout as in the set's readme, not seen; which frames ForMa and LoMa
    used is not published.
    """
    manipulated = first_folder(root, "manipulated_sequences")
    samples: list[Sample] = []
    groups: dict[str, str] = {}  # person: who swapped faces with whom
    for method in (m for m in METHODS if (manipulated / m).is_dir()):
        frames = first_folder(manipulated / method, f"{compression}/images")
        for video in sorted(path for path in frames.iterdir() if path.is_dir()):
            people = video.name.split("_")
            group = "_".join(sorted(people))
            groups |= dict.fromkeys(people, group)
            masks = manipulated / method / "masks" / "images" / video.name
            samples += [
                Sample(
                    frame,
                    MaskFiles((masks / f"{frame.stem}.png",), "lit"),
                    "ffpp",
                    group=group,
                    kind="photo",
                )
                for frame in images_in(video)
            ]
    needed(samples, root, f"manipulated_sequences/METHOD/{compression}/images/VIDEO/*.png")
    originals = root / "original_sequences" / "youtube" / compression / "images"
    if originals.is_dir():
        for video in sorted(path for path in originals.iterdir() if path.is_dir()):
            group = groups.get(video.name, video.name)
            samples += [
                Sample(frame, None, "ffpp", group=group, kind="photo") for frame in images_in(video)
            ]
    return complete(samples)
