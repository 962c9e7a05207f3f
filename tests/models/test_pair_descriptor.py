import torch

from tamperscope.models.pair_descriptor import LocalDescriptor, locally_normalised


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_brightness_and_contrast_do_not_matter():
    image = 0.2 + 0.6 * drawn(1, 3, 48, 40)
    plain = locally_normalised(image)
    darker = locally_normalised(0.6 * image + 0.1)
    assert (plain - darker).abs().max() < 0.15 * plain.abs().max()
    assert (plain - locally_normalised(0.6 * drawn(1, 3, 48, 40, seed=1))).abs().max() > 2


def test_means_and_deviations_are_those_of_the_window():
    image = drawn(1, 3, 48, 48)
    grey = image.mean(dim=1)[0]
    means = grey.unfold(0, 17, 1).unfold(1, 17, 1).mean(dim=(2, 3))  # of pixels 8 to 39
    apart = (grey[8:40, 8:40] - means).square()
    deviation = apart[8:25, 8:25].mean().sqrt()  # around pixel (24, 24)
    mean = image[0, :, 16:33, 16:33].mean(dim=(1, 2))
    expected = (image[0, :, 24, 24] - mean) / (deviation + 0.02)
    torch.testing.assert_close(locally_normalised(image)[0, 24, 24], expected)


def test_blank_ground_stays_blank():
    assert locally_normalised(torch.full((1, 3, 32, 32), 0.7)).abs().max() < 1e-4
    faint = 0.7 + 0.001 * drawn(1, 3, 32, 32)
    assert locally_normalised(faint).abs().max() < 0.1


def test_a_picture_moved_by_a_cell_has_moved_features():
    network = LocalDescriptor(24).eval()
    image = locally_normalised(drawn(1, 3, 160, 160))
    with torch.no_grad():
        here, there = network(image), network(image.roll(8, 2))
    assert here.shape == (1, 20, 20, 24)
    torch.testing.assert_close(there[:, :, 7:14], here[:, :, 6:13])


def test_places_of_mirrored_pictures_are_mirrored():
    """With filters that are their own mirror image, cell c answers as cell 19 - c did."""
    network = LocalDescriptor(24).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.copy_((parameter + parameter.flip(3)) / 2)
        image = locally_normalised(drawn(1, 3, 160, 160))
        torch.testing.assert_close(network(image.flip(2)), network(image).flip(2))
