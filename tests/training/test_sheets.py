import numpy as np
import torch

from tamperscope.images import read_pixels
from tamperscope.training import sheets
from tamperscope.training.batches import stacked
from tamperscope.training.sheets import SIDE, TRUTH, example_cell, write_sheet
from tamperscope.training.streams import Example
from tamperscope.training.validation import Answer, Part


def batch_of(count, panels):
    grey = np.full((64, 64, 3), 90, np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    return stacked([Example((grey,) * panels, (mask,) * panels) for _ in range(count)])


def test_a_cell_shows_panel_truth_and_answer():
    heat = np.zeros((1, 64, 64), np.float32)
    heat[0, 16:48, 16:48] = 1
    cell = example_cell(batch_of(1, 2), (heat, 1 - heat), 0)
    assert cell.shape == (2 * SIDE, 2 * SIDE, 3)
    first, second = cell[:SIDE], cell[SIDE:]
    assert (first[SIDE // 2, SIDE // 2] == 90).all()
    marked = (first[:, :SIDE] == TRUTH).all(axis=2)
    rows, columns = np.nonzero(marked)
    low, high = SIDE // 4, 3 * SIDE // 4 - 1
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (low, high, low, high)
    assert not marked[low + 1 : high, low + 1 : high].any()
    assert (first[SIDE // 2, 3 * SIDE // 2] == 255).all()
    assert (second[SIDE // 2, 3 * SIDE // 2] == 0).all()


def test_a_sheet_holds_some_of_every_stream(tmp_path, monkeypatch):
    def said(_network, batch, _device):
        heat = np.full((len(batch), 64, 64), 0.5, np.float32)
        return Answer((heat,) * len(batch.panels), heat[:, 0, 0])

    monkeypatch.setattr(sheets, "answer", said)
    parts = [Part("a", (batch_of(9, 1),), ""), Part("b", (batch_of(2, 2),), "")]
    write_sheet(tmp_path / "deep" / "sheet.png", None, parts, torch.device("cpu"))
    sheet = read_pixels(tmp_path / "deep" / "sheet.png")
    answers = (sheet == 128).all(axis=2).sum() / SIDE**2
    assert round(float(answers)) == 6 + 2 * 2  # six of the first stream, both pairs of the second
