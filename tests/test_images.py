import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from tamperscope.errors import UnreadableInputError
from tamperscope.images import (
    decode,
    encode_jpeg,
    encode_png,
    iter_frames,
    read_file,
    read_pixels,
    sniff,
    to_8_bit,
    write_png,
)


def photo(height=120, width=160, seed=0):
    rng = np.random.default_rng([seed, 3])
    small = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def encoded(picture, kind, **options):
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def tiff(array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def only(data):
    frames = decode(data, "picture")
    assert len(frames) == 1
    return frames[0]


LOSSLESS = {
    "PNG": {},
    "TIFF": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "JPEG2000": {},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_come_back_exactly(kind):
    pixels = photo()
    data = encoded(pixels, kind, **LOSSLESS[kind])
    frame = only(data)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.pixels.dtype == np.uint8
    assert (frame.alpha, frame.note, frame.missing, frame.index) == (None, None, None, 0)
    assert sniff(data) == kind


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_decodes_as_libjpeg_turbo_does(options):
    data = encoded(photo(), "JPEG", quality=85, **options)
    expected = imagecodecs.jpeg8_decode(data)
    difference = np.abs(only(data).pixels.astype(int) - expected)
    assert difference.max() <= 4  # another version of the library rounds its colours otherwise
    assert difference.mean() < 0.1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF"])
def test_grey_bilevel_and_palette_pictures_show_their_colours(mode, kind):
    picture = Image.fromarray(photo()).convert(mode)
    if kind == "GIF" and mode == "RGB":
        picture = picture.quantize(256)
    np.testing.assert_array_equal(
        only(encoded(picture, kind)).pixels, np.array(picture.convert("RGB"))
    )


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_a_mask_and_hidden_pixels_keep_their_values(kind):
    rgba = np.dstack([photo(), np.full((120, 160), 255, np.uint8)])
    rgba[:50, :70, 3] = 0
    rgba[50:60, :, 3] = 127
    rgba[60:70, :, 3] = 128
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    frame = only(encoded(rgba, kind, **options))
    np.testing.assert_array_equal(frame.alpha, rgba[..., 3] >= 128)
    np.testing.assert_array_equal(frame.pixels, rgba[..., :3])
    assert frame.note == "partly transparent"


def test_a_picture_that_is_opaque_or_wholly_transparent_has_no_mask():
    rgba = np.dstack([photo(), np.full((120, 160), 255, np.uint8)])
    assert only(encoded(rgba, "PNG")).alpha is None
    rgba[..., 3] = 0
    frame = only(encoded(rgba, "PNG"))
    assert frame.alpha is None
    assert frame.note == "fully transparent; shown as if opaque"


def test_grey_with_alpha_and_a_transparent_palette_entry():
    grey = np.dstack([photo()[..., 0], np.full((120, 160), 255, np.uint8)])
    grey[:30, :, 1] = 0
    frame = only(encoded(Image.fromarray(grey, mode="LA"), "PNG"))
    assert not frame.alpha[:30].any()
    assert frame.alpha[30:].all()
    palette = Image.fromarray(photo()).quantize(16)
    index = np.array(palette)
    frame = only(encoded(palette, "GIF", transparency=3))
    np.testing.assert_array_equal(frame.alpha, index != 3)


RAMP = (np.arange(128 * 160) % 4096).reshape(128, 160).astype(np.uint16)  # 12 bit in 16


def wrap_png(samples):
    return imagecodecs.png_encode(samples)


@pytest.mark.parametrize("wrap", [wrap_png, tiff], ids=["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_12_bit_samples_stored_in_16_do_not_come_out_black(wrap, channels):
    samples = RAMP if channels == 1 else np.dstack([RAMP] * 3)
    frame = only(wrap(samples))
    expected = np.clip((samples.astype(float) - 4) / (4091 - 4) * 255, 0, 255)
    if channels == 1:
        expected = np.dstack([expected] * 3)
    assert np.abs(frame.pixels - expected).max() < 1
    assert frame.note.startswith("16-bit integer samples stretched from 4")


@pytest.mark.parametrize("wrap", [wrap_png, tiff], ids=["png", "tiff"])
def test_16_bit_samples_over_the_whole_range_keep_their_8_bit_values(wrap):
    pixels = photo()
    frame = only(wrap(pixels.astype(np.uint16) * 257))
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.note == "16-bit integer samples divided by 257"


def test_one_hot_pixel_does_not_darken_a_12_bit_picture():
    samples = RAMP.copy()
    samples[5, 5] = 65535
    assert only(tiff(samples)).pixels.mean() == pytest.approx(127.5, abs=2)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.float32, np.float64])
def test_deep_and_float_samples_are_stretched(dtype):
    samples = (RAMP.astype(np.float64) - 2000).clip(0 if dtype == np.uint32 else None)
    frame = only(tiff(samples.astype(dtype)))
    assert frame.pixels.min() == 0
    assert frame.pixels.max() == 255
    order = np.argsort(samples.ravel(), kind="stable")
    assert (np.diff(frame.pixels[..., 0].ravel()[order].astype(int)) >= 0).all()


def test_samples_that_are_no_number_do_not_spoil_the_scale():
    samples = RAMP.astype(np.float32)
    samples[0, 0], samples[0, 1], samples[0, 2] = np.nan, np.inf, -np.inf
    scaled, note = to_8_bit(samples)
    assert "float" in note
    assert abs(scaled[1:].mean() - 127.5) < 3
    assert to_8_bit(np.full((4, 4), np.nan))[0].max() == 0
    assert to_8_bit(np.full((4, 4), 70, np.uint16))[0].max() == 0


TIFFS = {
    "lzw": {"compression": "lzw"},
    "deflate with predictor": {"compression": "zlib", "predictor": True},
    "packbits": {"compression": "packbits"},
    "tiles": {"tile": (32, 48)},
    "strips": {"rowsperstrip": 7},
    "big-endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
    "planes": {"planarconfig": "separate"},
}


@pytest.mark.parametrize("options", TIFFS.values(), ids=TIFFS)
def test_every_layout_of_tiff_gives_the_same_pixels(options):
    pixels = photo()
    array = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
    frame = only(tiff(array, photometric="rgb", **options))
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_white_is_zero_in_a_tiff_that_says_so():
    grey = photo()[..., 0]
    frame = only(tiff(255 - grey, photometric="miniswhite"))
    np.testing.assert_array_equal(frame.pixels[..., 0], grey)


def test_a_fax_tiff_is_read():
    black = photo()[..., 0] > 128
    frame = only(encoded(Image.fromarray(black), "TIFF", compression="group4"))
    np.testing.assert_array_equal(frame.pixels[..., 0] > 0, black)


def test_a_jpeg_compressed_ycbcr_tiff_has_the_right_colours():
    data = encoded(photo(), "TIFF", compression="jpeg", quality=95)
    assert np.abs(only(data).pixels.astype(int) - photo()).mean() < 4


def test_pages_of_a_tiff_are_frames_and_thumbnails_are_not():
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for seed in range(3):
            writer.write(photo(seed=seed), photometric="rgb")
        writer.write(photo()[::4, ::4], photometric="rgb", subfiletype=1)
    frames = decode(out.getvalue(), "stack.tif")
    assert [frame.index for frame in frames] == [0, 1, 2]
    for seed, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, photo(seed=seed))


def test_channels_of_a_fluorescence_page_are_frames():
    stack = np.dstack([photo(seed=s)[..., 0] for s in range(5)])
    frames = decode(tiff(stack, photometric="minisblack", planarconfig="contig"), "cells.tif")
    assert [frame.note for frame in frames] == [f"channel {i} of 5" for i in range(1, 6)]
    np.testing.assert_array_equal(frames[3].pixels[..., 2], stack[..., 3])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_every_frame_of_an_animation_is_read(kind):
    pictures = [Image.fromarray(photo(seed=s)).quantize(64).convert("RGB") for s in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(
        pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50, **options
    )
    frames = decode(data, "film")
    assert [frame.index for frame in frames] == [0, 1, 2]
    for picture, frame in zip(pictures, frames, strict=True):
        assert np.abs(frame.pixels.astype(int) - np.array(picture)).mean() < 2


def test_frames_beyond_the_limit_are_refused_by_name():
    data = tiff(np.stack([photo()[..., 0]] * 5), photometric="minisblack")
    frames = iter_frames(data, "stack.tif", max_frames=3)
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(UnreadableInputError, match=r"stack.tif has more than 3 frames"):
        next(frames)


INKS = np.zeros((64, 64, 4), np.uint8)
INKS[:32, 32:, 3] = 255  # black
INKS[32:, :32, 1:3] = 255  # red
COLOURS = {(10, 10): (255, 255, 255), (10, 50): (0, 0, 0), (50, 10): (255, 0, 0)}


def without_adobe_mark(data):
    place = data.index(b"\xff\xee")
    return data[:place] + data[place + 2 + struct.unpack(">H", data[place + 2 : place + 4])[0] :]


@pytest.mark.parametrize("kind", ["tiff", "adobe", "plain", "ycck"])
def test_cmyk_shows_its_colours_inverted_or_not(kind):
    if kind == "tiff":
        data = tiff(INKS, photometric="separated")
    elif kind == "ycck":
        data = imagecodecs.jpeg8_encode(
            255 - INKS, level=98, colorspace="CMYK", outcolorspace="YCCK", subsampling="444"
        )
    elif kind == "adobe":  # Pillow writes inverted inks and Adobe's mark, as Photoshop does
        data = encoded(Image.fromarray(INKS, mode="CMYK"), "JPEG", quality=98)
    else:
        inverted = encoded(Image.fromarray(255 - INKS, mode="CMYK"), "JPEG", quality=98)
        data = without_adobe_mark(inverted)
    frame = only(data)
    for (row, column), colour in COLOURS.items():
        assert np.abs(frame.pixels[row, column].astype(int) - colour).max() < 6, (row, column)
    assert frame.note == "CMYK converted without a colour profile"


def test_a_broken_colour_profile_is_said_and_not_fatal():
    picture = Image.fromarray(INKS, mode="CMYK")
    frame = only(encoded(picture, "JPEG", quality=98, icc_profile=b"no profile"))
    assert "profile is broken" in frame.note
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frame = only(encoded(picture, "JPEG", quality=98, icc_profile=srgb))  # of the wrong kind
    assert "profile is broken" in frame.note
    assert frame.pixels[10, 10].min() > 250


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_applied_and_noted(kind, orientation):
    pixels = photo(96, 160)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(pixels)
    frame = only(encoded(stored, kind, exif=exif))

    stored.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(stored))
    assert frame.pixels.shape == expected.shape
    assert np.abs(frame.pixels.astype(int) - expected).mean() < (6 if kind == "JPEG" else 0.01)
    noted = f"turned upright (EXIF orientation {orientation})"
    assert frame.note == (None if orientation == 1 else noted)


def png_of_size(width, height):
    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg_of_size(width, height):
    data = bytearray(encoded(photo(), "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_of_size(width, height):
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(photo(16, 16), photometric="rgb")
    data = bytearray(out.getvalue())
    for tag, value in ((256, width), (257, height)):
        place = data.index(struct.pack("<HH", tag, 3 if b"\x00\x01\x03" in data else 4))
        data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(data)


@pytest.mark.parametrize("make", [png_of_size, jpeg_of_size, tiff_of_size])
def test_a_pixel_bomb_is_refused_before_it_is_decoded(make):
    message = r"30,000 x 30,000 pixels \(900 megapixels\), over the limit of 200 megapixels"
    with pytest.raises(UnreadableInputError, match=message):
        decode(make(30_000, 30_000), "bomb")


def test_the_pixel_limit_can_be_set():
    data = encoded(photo(), "PNG")
    assert decode(data, "p", max_pixels=120 * 160)
    with pytest.raises(UnreadableInputError, match=r"over the limit of 0.019199 megapixels"):
        decode(data, "p", max_pixels=120 * 160 - 1)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_cut_in_the_middle_gives_its_upper_rows_and_says_so(kind, share):
    pixels = photo(320, 400)
    data = encoded(pixels, kind)
    whole = only(data).pixels
    frame = only(data[: int(len(data) * share)])
    rows = frame.pixels.shape[0]
    assert 0 < rows < 320
    assert rows / 320 == pytest.approx(share, abs=0.15)
    # Colour is interpolated across the edge of the last blocks.
    np.testing.assert_array_equal(frame.pixels[: rows - 1], whole[: rows - 1])
    assert frame.missing == f"the file is cut off: only the upper {rows} of 320 rows are there"
    assert frame.note == frame.missing


def test_a_progressive_jpeg_cut_in_the_middle_is_coarser_and_says_so():
    pixels = photo(320, 400)
    data = encoded(pixels, "JPEG", progressive=True, quality=90)
    frame = only(data[: len(data) // 2])
    assert frame.missing == "the file is cut off: fine detail is missing"
    assert np.abs(frame.pixels.astype(int) - pixels).mean() < 15


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "GIF", "BMP", "JPEG2000"])
def test_other_formats_cut_in_the_middle_are_refused_with_the_reason(kind):
    data = encoded(photo(), kind)
    with pytest.raises(UnreadableInputError, match=f"cut.{kind} is broken.*decoded as {kind}: "):
        decode(data[: len(data) // 2], f"cut.{kind}")


def test_empty_and_foreign_files_are_refused_with_the_reason():
    with pytest.raises(UnreadableInputError, match=r"a.png is empty \(0 bytes\)"):
        decode(b"", "a.png")
    with pytest.raises(UnreadableInputError, match=r"a.png is not an image .*PNG, JPEG"):
        decode(b"just some words", "a.png")


def test_the_extension_is_not_believed(tmp_path):
    pixels = photo()
    (tmp_path / "really_a_png.jpg").write_bytes(encoded(pixels, "PNG"))
    np.testing.assert_array_equal(read_pixels(tmp_path / "really_a_png.jpg"), pixels)


def test_a_file_that_is_not_there_or_too_long_is_named(tmp_path):
    with pytest.raises(UnreadableInputError, match=r"no.png does not exist"):
        read_pixels(tmp_path / "no.png")
    with pytest.raises(UnreadableInputError, match="is not a file"):
        read_pixels(tmp_path)
    (tmp_path / "long.png").write_bytes(b"\0" * 100)
    with pytest.raises(UnreadableInputError, match="has 100 bytes, over the limit of 99"):
        read_file(tmp_path / "long.png", limit=99)


def test_pixels_alone_are_not_given_out_of_a_file_that_is_cut(tmp_path):
    data = encoded(photo(), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableInputError, match=r"cut.jpg.*cut off"):
        read_pixels(tmp_path / "cut.jpg")


def test_written_pngs_come_back(tmp_path):
    pixels, mask = photo(), photo()[..., 0] > 99
    write_png(tmp_path / "p.png", pixels)
    np.testing.assert_array_equal(read_pixels(tmp_path / "p.png"), pixels)
    write_png(tmp_path / "m.png", mask)
    with Image.open(tmp_path / "m.png") as stored:
        assert stored.mode == "L"
        np.testing.assert_array_equal(np.array(stored), np.where(mask, 255, 0))
    np.testing.assert_array_equal(only(encode_png(pixels[..., 0])).pixels[..., 1], pixels[..., 0])
    assert np.abs(only(encode_jpeg(pixels, 95)).pixels.astype(int) - pixels).mean() < 3
    assert encode_png(pixels) == encode_png(pixels)


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8)])
def test_what_is_neither_pixels_nor_a_mask_is_not_written(array):
    with pytest.raises(ValueError, match="expected uint8 RGB"):
        encode_png(array)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000"])
def test_damaged_bytes_give_frames_or_a_clear_error(kind):
    rng = np.random.default_rng([5, len(kind)])
    clean = encoded(photo(48, 64), kind)
    for trial in range(60):
        data = bytearray(clean[: rng.integers(1, len(clean))] if trial % 3 == 0 else clean)
        for place in rng.integers(0, len(data), rng.choice([1, 3, 20])):
            data[place] = rng.integers(0, 256)
        try:
            frames = decode(bytes(data), "x", max_pixels=10_000_000)
        except UnreadableInputError:
            continue
        assert all(frame.pixels.dtype == np.uint8 for frame in frames)
