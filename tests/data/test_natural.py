import pytest

from tamperscope.data import MissingPartnersError, read_dataset, read_mask
from tamperscope.data.natural import casia_group, casia_operation
from tamperscope.errors import DatasetLayoutError
from tests.data.drawn import put_image, put_mask, region


def columbia(root):
    put_image(root / "4cam_auth" / "a.tif", 1)
    put_image(root / "4cam_splc" / "b.tif", 2)
    put_mask(root / "4cam_splc/edgemask/b_edgemask.jpg", colours=((200, 0, 0), (0, 200, 0)))


def dso1(root):
    put_image(root / "DSO-1" / "normal-01.png", 1)
    put_image(root / "DSO-1" / "splicing-01.png", 2)
    put_mask(root / "DSO-1-Fake-Images-Masks" / "splicing-01.png", colours=(255, 0))


def casia_v1(root):
    put_image(root / "Au" / "Au_ani_0018.jpg", 1)
    for number, part in enumerate(("CM", "Sp")):
        name = f"Sp_S_CNN_A_pla0070_ani0018_{number:04d}"
        put_image(root / "Tp" / part / f"{name}.jpg", 2 + number)
        put_mask(root / "CASIA 1.0 groundtruth" / part / f"{name}_gt.png")
    (root / "Au" / "Thumbs.db").write_bytes(b"not an image")


def nist16(root):
    table = root / "reference/manipulation/NC2016-manipulation-ref.csv"
    put_image(root / "probe" / "NC2016_0001.jpg", 1)
    put_image(root / "probe" / "NC2016_0002.jpg", 2)
    put_mask(table.parent / "mask" / "NC2016_0009.png", colours=(255, 0))
    table.write_text(
        "TaskID|ProbeFileName|ProbeMaskFileName|BaseFileName|IsTarget\n"
        "m|probe/NC2016_0001.jpg|reference/manipulation/mask/NC2016_0009.png|world/W.jpg|Y\n"
        "m|probe/NC2016_0002.jpg||world/W.jpg|N\n",
        encoding="utf-8",
    )


def coverage(root):
    put_image(root / "image" / "1.tif", 1)
    put_image(root / "image" / "1t.tif", 2)
    for part in ("forged", "copy", "paste"):
        put_mask(root / "mask" / f"1{part}.tif")


def korus(root):
    for number, camera in enumerate(("Canon_60D", "Nikon_D7000", "Nikon_D90", "Sony_A57")):
        put_image(root / camera / "pristine" / "A.TIF", 10 + number)
        put_image(root / camera / "tampered-realistic" / "A.TIF", 20 + number)
        put_mask(root / camera / "ground-truth" / "A.PNG", colours=(0, 128))


def in_the_wild(root):
    put_image(root / "images" / "1.jpg", 1)
    put_mask(root / "masks" / "1.png")


def cocoglide(root):
    put_image(root / "real" / "r1.png", 1)
    put_image(root / "fake" / "glide_inpainting_val2017_1_up.png", 2)
    put_mask(root / "mask" / "cat_1_mask.png")
    (root / "table.csv").write_text(
        "real,fake,mask,prompt\n"
        "real/r1.png,fake/glide_inpainting_val2017_1_up.png,mask/cat_1_mask.png,a cat\n",
        encoding="utf-8",
    )


def misd(root):
    put_image(root / "Au" / "Au_ani_1.jpg", 1)
    put_image(root / "Sp" / "Sp_D_1.png", 2)
    folder = root / "Ground Truth Masks" / "first"
    put_image(folder / "images" / "Sp_D_1.png", 2)
    upper, lower = region(), region()
    upper[9:], lower[:9] = False, False
    put_mask(folder / "masks" / "one.png", upper)
    put_mask(folder / "masks" / "two.png", lower)


def ffpp(root):
    videos = root / "manipulated_sequences" / "Deepfakes"
    put_image(videos / "c23/images/000_003/0000.png", 1)
    put_mask(videos / "masks/images/000_003/0000.png", colours=((0, 9, 0), (90, 20, 60)))
    put_image(root / "original_sequences/youtube/c23/images/003/0000.png", 2)


DRAWN = {
    f.__name__: f
    for f in (
        columbia, dso1, casia_v1, nist16, coverage, korus, in_the_wild, cocoglide, misd, ffpp,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_the_mask_marks_the_tampered_region_and_nothing_of_a_pristine_image(name, tmp_path):
    DRAWN[name](tmp_path)
    samples = read_dataset(name, tmp_path)
    tampered = [sample for sample in samples if sample.truth is not None]
    pristine = [sample for sample in samples if sample.truth is None]
    assert len(tampered) == {"casia_v1": 2, "korus": 4}.get(name, 1)
    assert len(pristine) == {"korus": 4, "in_the_wild": 0}.get(name, 1)
    for sample in tampered:
        assert (read_mask(sample) == region()).all(), sample
    for sample in pristine:
        assert not read_mask(sample).any()
    assert samples == sorted(samples, key=lambda s: tuple(map(str, s.files())))
    assert {sample.source for sample in samples} == {name}


@pytest.mark.parametrize("name", DRAWN)
def test_a_missing_mask_is_named_and_never_reads_as_pristine(name, tmp_path):
    DRAWN[name](tmp_path)
    sample = next(s for s in read_dataset(name, tmp_path) if s.truth is not None)
    gone = sample.truth.paths[0]
    gone.unlink()
    if name == "misd":  # the other object's mask is no truth for the first
        sample.truth.paths[1].unlink()
    with pytest.raises(DatasetLayoutError, match=gone.parent.name):
        read_dataset(name, tmp_path)


@pytest.mark.parametrize("name", DRAWN)
def test_another_folder_is_refused_with_what_was_looked_for(name, tmp_path):
    with pytest.raises(DatasetLayoutError, match=str(tmp_path)):
        read_dataset(name, tmp_path)


@pytest.mark.parametrize("name", ["cocoglide", "coverage", "ffpp", "korus", "nist16"])
def test_a_tampered_image_is_in_one_group_with_its_original(name, tmp_path):
    DRAWN[name](tmp_path)
    samples = read_dataset(name, tmp_path)
    tampered = {s.group for s in samples if s.truth is not None}
    assert tampered == {s.group for s in samples if s.truth is None}


def test_every_missing_file_is_listed_with_the_rest_of_the_set(tmp_path):
    casia_v1(tmp_path)
    for path in sorted((tmp_path / "CASIA 1.0 groundtruth").rglob("*.png")):
        path.unlink()
    with pytest.raises(MissingPartnersError, match=r"CM.*Sp") as caught:
        read_dataset("casia_v1", tmp_path)
    assert len(caught.value.missing) == 2
    assert len(caught.value.samples) == 3


def test_casia_names_tell_the_scene():
    assert casia_group("Sp_D_CNN_A_pla0070_pla0073_0273") == "pla0073"
    assert casia_group("Tp_D_CRN_S_N_cha00063_art00014_11818") == "art00014"
    assert casia_group("Au_ani_0018") == "ani0018"
    assert casia_group("IMG_1") is None


def test_coverage_tells_where_the_copy_came_from(tmp_path):
    coverage(tmp_path)
    sample = next(s for s in read_dataset("coverage", tmp_path) if s.truth is not None)
    assert [path.name for path in sample.copied_from.paths] == ["1copy.tif"]


def test_casia_names_tell_what_was_done():
    assert casia_operation("Sp_D_CNN_A_pla0070_pla0073_0273") == "splicing"
    assert casia_operation("Sp_S_CNN_A_sec0041_sec0041_0098") == "copy-move"
    assert casia_operation("Tp_S_NNN_S_N_art00014_art00014_11818") == "copy-move"
    assert casia_operation("Au_ani_0018") is None
