"""Scan orders against recordings of the authors' code, and their adjoints."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tamperscope.kernels import routes

GOLDEN = Path(__file__).parent / "golden" / "scan_orders.npz"
RECORDED = dict(np.load(GOLDEN).items())
SIZES = {"cross": ["7x6", "8x8", "3x5"], "atrous": ["7x6", "8x8", "6x8", "5x3"]}
EVERY_SIZE = [(route, size) for route, sizes in SIZES.items() for size in sizes]
SCAN = {"cross": routes.cross_scan, "atrous": routes.atrous_scan}
MERGE = {"cross": routes.cross_merge, "atrous": routes.atrous_merge}


def size_of(text):
    height, width = text.split("x")
    return int(height), int(width)


@pytest.mark.parametrize(("route", "size"), EVERY_SIZE)
def test_sequences_are_those_recorded(route, size):
    height, width = size_of(size)
    first = 0 if route == "cross" else 1  # recorded atrous cells count from 1, 0 is padding
    grid = torch.arange(first, height * width + first).view(1, 1, height, width)
    scanned = SCAN[route](grid)[0, :, 0]
    np.testing.assert_array_equal(scanned.numpy(), RECORDED[f"{route}_scan_{size}"])


@pytest.mark.parametrize(("route", "size"), EVERY_SIZE)
def test_merged_maps_are_those_recorded(route, size):
    merged = MERGE[route](torch.from_numpy(RECORDED[f"{route}_merge_in_{size}"]), *size_of(size))
    np.testing.assert_array_equal(merged.numpy(), RECORDED[f"{route}_merge_out_{size}"])


@pytest.mark.parametrize("size", SIZES["cross"])
@pytest.mark.parametrize("direction", range(4))
def test_each_direction_alone_merges_as_recorded(size, direction):
    height, width = size_of(size)
    sequences = torch.zeros(1, 4, 1, height * width, dtype=torch.int64)
    sequences[0, direction, 0] = torch.arange(1, height * width + 1)
    merged = routes.cross_merge(sequences, height, width).view(height, width)
    np.testing.assert_array_equal(merged, RECORDED[f"cross_merge_dir{direction}_{size}"])


@pytest.mark.parametrize("size", SIZES["atrous"])
def test_gradients_are_those_of_the_authors_functions(size):
    height, width = size_of(size)
    into, out = (torch.from_numpy(RECORDED[f"atrous_scan_bwd_{x}_{size}"]) for x in ("in", "out"))
    image = torch.zeros(out.shape, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(routes.atrous_scan(image), image, into.double())
    assert torch.equal(grad, out.double())
    into, out = (torch.from_numpy(RECORDED[f"atrous_merge_bwd_{x}_{size}"]) for x in ("in", "out"))
    sequences = torch.zeros(out.shape, dtype=torch.float64, requires_grad=True)
    merged = routes.atrous_merge(sequences, height, width)
    (grad,) = torch.autograd.grad(merged, sequences, into.double())
    assert torch.equal(grad, out.double())


@pytest.mark.parametrize("route", routes.ROUTES)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1), (5, 7)])
def test_scan_and_merge_are_adjoint(route, size):
    """<scan x, s> = <x, merge s> for any x and s, padding included."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
    scanned = SCAN[route](x)
    s = torch.randn(scanned.shape, generator=generator, dtype=torch.float64)
    merged = MERGE[route](s, *size)
    torch.testing.assert_close((scanned * s).sum(), (x.flatten(2) * merged).sum())


@pytest.mark.parametrize("size", [(1, 1), (4, 6), (5, 7)])
def test_atrous_visits_every_cell_once(size):
    index = routes.atrous_index(*size)
    cells = index[index >= 0].sort().values
    assert torch.equal(cells, torch.arange(size[0] * size[1]))


def test_unknown_routes_and_empty_maps_are_errors():
    cpu = torch.device("cpu")
    with pytest.raises(ValueError, match="one of cross, atrous, got 'diagonal'"):
        routes.route_index("diagonal", 4, 4, cpu)
    with pytest.raises(ValueError, match="0 x 4"):
        routes.route_index("cross", 0, 4, cpu)
