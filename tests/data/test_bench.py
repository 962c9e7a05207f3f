"""The real sets that lie beside the checkout, where they do."""

from pathlib import Path

import pytest

from tamperscope.data import read_dataset, read_mask
from tamperscope.data.catalog import DATASETS
from tamperscope.data.check import check_dataset
from tamperscope.errors import DatasetLayoutError

BENCH = Path(__file__).parents[3] / "shared" / "bench"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BENCH.is_dir(), reason="needs ../shared/bench"),
]


@pytest.mark.parametrize(
    ("name", "tampered", "pristine"),
    [("casia_v1", 220, 110), ("western_blots", 856, 0), ("coverage", 25, 25)],
)
def test_the_real_sets_are_read(name, tampered, pristine):
    checked = check_dataset(DATASETS[name], BENCH / name, partial=True)
    assert (checked.tampered, checked.pristine) == (tampered, pristine)
    sizes = [text for text in checked.problems if "its image" in text]
    assert [Path(text.split()[0]).name for text in sizes] == (
        ["048.png", "056.png"] if name == "coverage" else []
    )
    assert list(checked.problems) == sizes


def test_a_mask_of_another_size_stops_only_the_one_that_reads_it():
    for sample in read_dataset("coverage", BENCH / "coverage"):
        if sample.truth is not None and sample.image.stem in ("048", "056"):
            with pytest.raises(DatasetLayoutError, match=sample.image.stem):
                read_mask(sample)
            assert read_mask(sample, resize=True).any()
        else:
            assert read_mask(sample).any() == (sample.truth is not None)


def test_the_generated_patches_of_the_automatic_blots_are_64_by_64():
    samples = read_dataset("western_blots", BENCH / "western_blots")
    automatic = [s for s in samples if s.source == "western_blots/automatic"]
    assert {int(read_mask(sample).sum()) for sample in automatic[::25]} == {64 * 64}
