import pytest

from tamperscope.data import read_dataset, read_mask
from tamperscope.errors import DatasetLayoutError
from tests.data.drawn import put_image, put_mask, region


@pytest.mark.parametrize("below", ["", "CASIA 2.0"])
def test_casia_v2(tmp_path, below):
    put_image(tmp_path / below / "Au/Au_art_00014.jpg", 1)
    put_image(tmp_path / below / "Tp/Tp_D_CRN_S_N_cha00063_art00014_11818.tif", 2)
    mask = put_mask(tmp_path / "CASIA 2 Groundtruth/Tp_D_CRN_S_N_cha00063_art00014_11818_gt.png")
    pristine, tampered = read_dataset("casia_v2", tmp_path)
    assert pristine.group == tampered.group == "art00014"
    assert (read_mask(tampered) == region()).all()
    mask.unlink()
    with pytest.raises(DatasetLayoutError, match="11818_gt"):
        read_dataset("casia_v2", tmp_path)


def test_imd2020(tmp_path):
    put_image(tmp_path / "1a/1a_orig.jpg", 1)
    put_image(tmp_path / "1a/c1_0.png", 2)
    put_mask(tmp_path / "1a/c1_0_mask.png")
    put_image(tmp_path / "0jpg/c1_0.jpg", 3)
    tampered, pristine = sorted(
        read_dataset("imd2020", tmp_path), key=lambda s: s.truth is None
    )  # fmt: skip
    assert pristine.truth is None
    assert (read_mask(tampered) == region()).all()
    assert tampered.group == pristine.group == "1a"
    put_image(tmp_path / "2b/c2.jpg", 4)
    with pytest.raises(DatasetLayoutError, match=r"2b/c2_mask\.png"):
        read_dataset("imd2020", tmp_path)


def test_tampcoco_reads_its_lists(tmp_path):
    for number, part in enumerate(("sp", "bcm")):
        put_image(tmp_path / f"{part}_images/1_2.jpg.jpg", number)
        put_mask(tmp_path / f"{part}_masks/1_2.png.png", colours=(0, 1))
        line = f"{part}_images/1_2.jpg.jpg,{part}_masks/1_2.png.png\n"
        split = ("train", "valid")[number]
        (tmp_path / f"{part}_COCO_{split}_list.txt").write_text(line, encoding="utf-8")
    samples = read_dataset("tampcoco", tmp_path)
    assert {s.split for s in samples} == {"train", "valid"}
    assert all((read_mask(s) == region()).all() for s in samples)
    (tmp_path / "sp_COCO_train_list.txt").write_text("\nsp_images/1_2.jpg.jpg\n", encoding="utf-8")
    with pytest.raises(DatasetLayoutError, match="line 2"):
        read_dataset("tampcoco", tmp_path)


@pytest.mark.parametrize("network", ["facebook", "wechat", "weibo", "whatsapp"])
@pytest.mark.parametrize("shared", [True, False], ids=["truths beside", "truths inside"])
def test_social_networks(tmp_path, network, shared):
    names = {"Casia": "CM/Sp_S_CNN_A_ani0001_ani0002_1", "Columbia": "a_b", "DSO": "splicing-01"}
    for number, (name, image) in enumerate(names.items()):
        folder = tmp_path / f"{name}_{network.capitalize()}"
        put_image(folder / f"{image}.jpg", number)
        truths = tmp_path if shared else folder
        put_mask(truths / f"{name.upper()}_GT" / f"{image.rpartition('/')[2]}_gt.png")
    put_image(tmp_path / "Columbia_Elsewhere" / "z.jpg")
    samples = read_dataset(f"osn_{network}", tmp_path)
    assert [s.source for s in samples] == [f"{s}_{network}" for s in ("casia_v1", "columbia", "dso1")]  # fmt: skip  # noqa: E501
    assert samples[0].group == "ani0002"
    assert all((read_mask(s) == region()).all() for s in samples)


def test_a_network_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DatasetLayoutError, match="Columbia_Weibo"):
        read_dataset("osn_weibo", tmp_path)
    put_image(tmp_path / "DSO_Weibo" / "splicing-01.jpg")
    with pytest.raises(DatasetLayoutError, match="_GT"):
        read_dataset("osn_weibo", tmp_path)
