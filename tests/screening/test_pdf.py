import io
import re
import zlib
from itertools import pairwise

import imagecodecs
import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from tamperscope.errors import UnreadableInputError
from tamperscope.records import Unread
from tamperscope.screening.limits import Limits
from tamperscope.screening.pdf import read_pdf
from tamperscope.screening.picture import Picture


def photo(height=120, width=160, seed=0):
    """Smooth colourful noise: it compresses, has detail everywhere, and no two seeds are alike."""
    rng = np.random.default_rng([seed, 7])
    small = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def jpeg(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


class Builder:
    """Builds a PDF page by page."""

    def __init__(self):
        self.pdf = pikepdf.new()

    def image(self, data, width, height, space=Name.DeviceRGB, bits=8, **more):
        return pikepdf.Stream(
            self.pdf,
            data,
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=width,
            Height=height,
            ColorSpace=space,
            BitsPerComponent=bits,
            **more,
        )

    def flate(self, pixels, **more):
        """A picture of uint8 samples (H, W) or (H, W, C), stored as they are."""
        spaces = {1: Name.DeviceGray, 3: Name.DeviceRGB, 4: Name.DeviceCMYK}
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        more.setdefault("space", spaces[channels])
        return self.image(pixels.tobytes(), pixels.shape[1], pixels.shape[0], **more)

    def dct(self, data, **more):
        with Image.open(io.BytesIO(data)) as picture:
            size = picture.size
            spaces = {"L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}
            more.setdefault("space", spaces[picture.mode])
        return self.image(data, *size, Filter=Name.DCTDecode, **more)

    def page(self, content="", size=(400, 300), **objects):
        self.pdf.add_blank_page(page_size=size)
        page = self.pdf.pages[-1]
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        page.Resources = Dictionary(XObject=Dictionary(**objects), Font=Dictionary(F1=font))
        page.Contents = self.pdf.make_stream(content.encode())
        return page

    def data(self, **options):
        out = io.BytesIO()
        self.pdf.save(out, **options)
        return out.getvalue()


def draw(name, x, y, width, height):
    return f"q {width} 0 0 {height} {x} {y} cm /{name} Do Q\n"


def read(data, **limits):
    items = list(read_pdf(data, "paper.pdf", Limits(**limits), None))
    pictures = [item for item in items if isinstance(item, Picture)]
    return pictures, [item for item in items if isinstance(item, Unread)]


def drain(data):
    """Everything that is read before the end or an error: (items, message of the error)."""
    items = []
    try:
        items.extend(read_pdf(data, "paper.pdf", Limits(), None))
    except UnreadableInputError as error:
        return items, str(error)
    return items, None


def read_one(data, **limits):
    pictures, unread = read(data, **limits)
    assert [u.why for u in unread] == []
    assert len(pictures) == 1
    return pictures[0]


def test_a_jpeg_comes_out_untouched_with_its_page_and_place():
    pixels, build = photo(), Builder()
    stored = jpeg(pixels)
    build.page()
    build.page(draw("Im", 30, 40, 200, 150), Im=build.dct(stored))
    picture = read_one(build.data())
    assert picture.stored == stored
    assert picture.suffix == ".jpg"
    np.testing.assert_array_equal(picture.pixels, np.array(Image.open(io.BytesIO(stored))))
    assert (picture.page, picture.origin, picture.document) == (2, "embedded", "paper.pdf")
    assert picture.place == pytest.approx((30, 40, 230, 190))
    assert picture.visible is None
    assert picture.note is None


def test_a_jpeg_behind_a_second_filter_is_unwrapped_to_the_jpeg():
    stored, build = jpeg(photo()), Builder()
    image = build.dct(stored)

    image.write(zlib.compress(stored), filter=Array([Name.FlateDecode, Name.DCTDecode]))
    build.page(draw("Im", 0, 0, 200, 150), Im=image)
    assert read_one(build.data()).stored == stored


def test_the_same_picture_on_two_pages_is_read_once_and_says_so():
    build = Builder()
    image, twin = build.dct(jpeg(photo())), build.dct(jpeg(photo()))  # two objects, the same bytes
    build.page(draw("Im", 0, 0, 200, 150) + draw("Im", 200, 150, 100, 75), Im=image)
    build.page(draw("Im", 10, 20, 200, 150), Im=twin)
    picture = read_one(build.data())
    assert [page for page, _ in picture.drawn] == [1, 1, 2]
    assert picture.drawn[2][1] == pytest.approx((10, 20, 210, 170))
    assert picture.note == "drawn 3 times (page 1, 2), read once"


def test_an_inverted_decode_array_is_applied():
    grey, build = photo()[..., 0], Builder()
    build.page(draw("Im", 0, 0, 200, 150), Im=build.flate(grey, Decode=[1, 0]))
    np.testing.assert_array_equal(read_one(build.data()).pixels[..., 1], 255 - grey)


def test_a_palette_gives_its_colours():
    rng, build = np.random.default_rng(3), Builder()
    table = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    index = rng.integers(0, 16, (120, 160), dtype=np.uint8)
    space = Array([Name.Indexed, Name.DeviceRGB, 15, pikepdf.String(table.tobytes())])
    build.page(draw("Im", 0, 0, 200, 150), Im=build.flate(index, space=space))
    np.testing.assert_array_equal(read_one(build.data()).pixels, table[index])


def test_cmyk_inks_become_their_colours():
    inks = np.zeros((120, 160, 4), np.uint8)
    inks[:, 40:80, 0] = 255  # cyan
    inks[60:, 80:120, 1:3] = 255  # red
    inks[:, 120:, 3] = 255  # black
    build = Builder()
    build.page(draw("Im", 0, 0, 200, 150), Im=build.flate(inks))
    pixels = read_one(build.data()).pixels.astype(int)
    assert pixels[5, 5].min() > 250
    red, green, blue = pixels[5, 60]
    assert red < 60 < 150 < min(green, blue)
    red, green, blue = pixels[100, 100]
    assert max(green, blue) < 80 < 200 < red
    assert pixels[5, 150].max() < 60


def test_an_adobe_cmyk_jpeg_is_not_inverted_twice():
    """Photoshop stores inverted inks, and its PDFs say so by a Decode array."""
    inks = np.zeros((120, 160, 4), np.uint8)
    inks[:60, 80:, 3] = 255
    out = io.BytesIO()
    Image.fromarray(inks, mode="CMYK").save(out, "JPEG", quality=95)  # Pillow inverts as Adobe does
    build = Builder()
    image = build.dct(out.getvalue(), Decode=[1, 0, 1, 0, 1, 0, 1, 0])
    build.page(draw("Im", 0, 0, 200, 150), Im=image)
    pixels = read_one(build.data()).pixels
    assert pixels[70:, :70].min() > 240
    assert pixels[:50, 90:].max() < 60


def test_jpeg_2000_is_decoded_and_kept():
    pixels, build = photo(), Builder()
    stored = imagecodecs.jpeg2k_encode(pixels, codecformat="jp2", level=0)
    image = build.image(stored, 160, 120, Filter=Name.JPXDecode)
    build.page(draw("Im", 0, 0, 200, 150), Im=image)
    picture = read_one(build.data())
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert (picture.stored, picture.suffix) == (stored, ".jp2")


def test_a_fax_picture_is_decoded():
    black = photo()[..., 0] > 128
    out = io.BytesIO()
    Image.fromarray(black).save(out, "TIFF", compression="group4")
    with Image.open(out) as tiff:
        offset, length = tiff.tag_v2[273][0], tiff.tag_v2[279][0]
    build = Builder()
    image = build.image(
        out.getvalue()[offset : offset + length],
        160,
        120,
        space=Name.DeviceGray,
        bits=1,
        Filter=Name.CCITTFaxDecode,
        DecodeParms=Dictionary(K=-1, Columns=160, Rows=120, BlackIs1=True),
    )
    build.page(draw("Im", 0, 0, 200, 150), Im=image)
    np.testing.assert_array_equal(read_one(build.data()).pixels[..., 0] > 0, black)


def soft(build, mask):
    return {"SMask": build.flate(np.where(mask, 255, 0).astype(np.uint8))}


def stencil(build, mask):
    rows = np.packbits(~mask, axis=1)  # 1 hides
    stream = build.image(rows.tobytes(), mask.shape[1], mask.shape[0], bits=1, ImageMask=True)
    del stream[Name.ColorSpace]
    return {"Mask": stream}


@pytest.mark.parametrize("kind", [soft, stencil])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_mask_says_what_is_visible_and_leaves_the_pixels_alone(kind, scale):
    pixels, build = photo(), Builder()
    visible = np.zeros((120, 160), bool)
    visible[16:96, 32:120] = True
    stored = visible.repeat(scale, axis=0).repeat(scale, axis=1)
    build.page(draw("Im", 0, 0, 200, 150), Im=build.flate(pixels, **kind(build, stored)))
    picture = read_one(build.data())
    np.testing.assert_array_equal(picture.visible, visible)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.note == "its mask hides 63% of it"


def test_a_colour_key_hides_its_colours():
    pixels, build = photo(), Builder()
    pixels[:40] = (10, 200, 30)
    image = build.flate(pixels, Mask=Array([5, 15, 195, 205, 25, 35]))
    build.page(draw("Im", 0, 0, 200, 150), Im=image)
    picture = read_one(build.data())
    assert not picture.visible[:40].any()
    assert picture.visible[40:].mean() > 0.99


def test_a_clip_hides_what_lies_outside_it():
    build = Builder()
    content = "q 0 0 100 400 re W n " + draw("Im", 20, 0, 160, 120) + "Q"
    build.page(content, Im=build.flate(photo()))
    picture = read_one(build.data())
    expected = np.zeros((120, 160), bool)
    expected[:, :80] = True
    assert (picture.visible != expected).mean() < 0.01
    assert re.fullmatch(r"the page hides (49|50)% of it by clipping", picture.note)


def test_a_clip_of_the_upper_half_shows_the_upper_rows():
    build = Builder()
    content = "q 0 60 400 300 re W n " + draw("Im", 20, 0, 160, 120) + "Q"
    build.page(content, Im=build.flate(photo()))
    visible = read_one(build.data()).visible
    assert visible[:59].all()
    assert not visible[62:].any()


def test_a_round_clip_hides_the_corners():
    """A circle of four Bezier arcs covers pi/4 of its square."""
    k, build = 60 * 0.5523, Builder()
    circle = (
        f"160 60 m 160 {60 + k} {100 + k} 120 100 120 c {100 - k} 120 40 {60 + k} 40 60 c "
        f"40 {60 - k} {100 - k} 0 100 0 c {100 + k} 0 160 {60 - k} 160 60 c W n "
    )
    square = photo(120, 120)
    build.page("q " + circle + draw("Im", 40, 0, 120, 120) + "Q", Im=build.flate(square))
    visible = read_one(build.data()).visible
    assert visible.mean() == pytest.approx(np.pi / 4, abs=0.01)
    assert visible[60, 60]
    assert not visible[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_a_clip_along_the_edge_hides_nothing():
    build = Builder()
    content = "q 20 10 160 120 re W n " + draw("Im", 20, 10, 160, 120) + "Q"
    build.page(content, Im=build.flate(photo()))
    assert read_one(build.data()).visible is None


def test_a_picture_shown_in_two_halves_is_shown_whole():
    build = Builder()
    left = "q 0 0 80 120 re W n " + draw("Im", 0, 0, 160, 120) + "Q "
    right = "q 280 0 80 120 re W n " + draw("Im", 200, 0, 160, 120) + "Q"
    build.page(left + right, Im=build.flate(photo()))
    assert read_one(build.data()).visible is None


def test_places_and_clips_inside_forms_are_those_of_the_page():
    build = Builder()
    form = pikepdf.Stream(
        build.pdf,
        b"q 0 0 50 100 re W n 80 0 0 60 10 5 cm /Im Do Q",
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=[0, 0, 200, 200],
        Matrix=[2, 0, 0, 2, 0, 0],
        Resources=Dictionary(XObject=Dictionary(Im=build.flate(photo()))),
    )
    build.page("q 1 0 0 1 100 50 cm /Fm Do Q", Fm=form)
    picture = read_one(build.data())
    assert picture.place == pytest.approx((120, 60, 280, 180))
    assert picture.visible.mean() == pytest.approx(0.5, abs=0.01)
    assert picture.visible[:, 0].all()
    assert not picture.visible[:, -1].any()


@pytest.mark.parametrize("split", ["rows", "columns", "grid"])
def test_a_picture_stored_in_pieces_comes_out_whole(split):
    pixels, build = photo(320, 400), Builder()
    rows = [0, 320] if split == "columns" else [0, 40, 80, 160, 320]
    columns = [0, 400] if split == "rows" else [0, 100, 230, 400]
    content, objects = "", {}
    for i, (top, bottom) in enumerate(pairwise(rows)):
        for j, (left, right) in enumerate(pairwise(columns)):
            name = f"T{i}x{j}"
            objects[name] = build.flate(np.ascontiguousarray(pixels[top:bottom, left:right]))
            place = left / 2, 200 - bottom / 2, (right - left) / 2, (bottom - top) / 2
            content += draw(name, *place)
    build.page(content, **objects)
    picture = read_one(build.data())
    np.testing.assert_array_equal(picture.pixels, pixels)
    pieces = (len(rows) - 1) * (len(columns) - 1)
    assert picture.note == f"stored in {pieces} pieces, put together"
    assert picture.place == pytest.approx((0, 40, 200, 200))


def test_pieces_on_a_turned_page_are_rendered_as_one():
    pixels, build = photo(400, 400), Builder()
    content, objects = "", {}
    for i in range(10):
        objects[f"S{i}"] = build.flate(np.ascontiguousarray(pixels[40 * i : 40 * i + 40]))
        content += f"q 0 192 -19.2 0 {19.2 * (i + 1)} 0 cm /S{i} Do Q\n"
    build.page(content, **objects).Rotate = 90
    picture = read_one(build.data())
    assert picture.note == "stored in 10 pieces, rendered at 300 dpi"
    small = np.array(Image.fromarray(picture.pixels).resize((400, 400)))
    turns = [np.rot90(pixels, k) for k in range(4)]
    errors = [np.abs(small.astype(int) - turn.astype(int)).mean() for turn in turns]
    assert np.argmin(errors) == 0  # upright: the page is turned back
    assert min(errors) < 6


def test_two_panels_without_a_gutter_stay_two():
    build = Builder()
    left, right = jpeg(photo(150, 200, seed=1)), jpeg(photo(150, 200, seed=2))
    content = draw("A", 0, 0, 200, 150) + draw("B", 200, 0, 200, 150)
    build.page(content, A=build.dct(left), B=build.dct(right))
    pictures, unread = read(build.data())
    assert [p.stored for p in pictures] == [left, right]
    assert unread == []


def test_panels_with_white_margins_that_touch_stay_two():
    build = Builder()
    panels = []
    for seed in (1, 2):
        panel = np.full((150, 200, 3), 255, np.uint8)
        panel[8:-8, 8:-8] = photo(134, 184, seed=seed)
        panels.append(build.flate(panel))
    content = draw("A", 0, 0, 200, 150) + draw("B", 200, 0, 200, 150)
    build.page(content, A=panels[0], B=panels[1])
    assert len(read(build.data())[0]) == 2


def test_icons_stencils_lettering_bars_and_logos_are_set_aside_by_name():
    build = Builder()
    icon = build.flate(photo(40, 40, seed=1))
    badge = build.flate(photo(200, 200, seed=2))
    logo = build.flate(photo(100, 300, seed=3))
    bar = build.flate(np.repeat(np.arange(200, dtype=np.uint8)[None], 100, axis=0))
    bits = np.packbits(photo(200, 200, seed=5)[..., 0] > 128, axis=1).tobytes()
    paint = build.image(bits, 200, 200, bits=1, ImageMask=True)
    del paint[Name.ColorSpace]
    words = build.image(bits[::-1], 200, 200, bits=1, space=Name.DeviceGray)
    first = draw("I", 0, 0, 80, 80) + draw("G", 100, 0, 60, 60) + draw("P", 200, 0, 90, 90)
    first += draw("W", 0, 200, 90, 40) + draw("B", 200, 200, 100, 60) + draw("L", 100, 100, 90, 30)
    build.page(first, I=icon, G=badge, P=paint, W=words, B=bar, L=logo)
    for _ in range(4):
        build.page(draw("L", 100, 100, 90, 30), L=logo)
    pictures, unread = read(build.data())
    assert pictures == []
    assert len(unread) == 5
    whys = "\n".join(u.why for u in unread)
    for word in ("2 small picture", "stencil", "lettering", "colour bar", "logo: 300 x 100 pixels"):
        assert word in whys
    assert "on 5 of 5 pages" in whys


def scatter(x, y, width, height):
    """Draw a scatter plot of small circles with axes."""
    rng = np.random.default_rng(5)
    out = f"{x} {y} m {x + width} {y} l S {x} {y} m {x} {y + height} l S\n"
    for px, py in rng.uniform(0.03, 0.97, (150, 2)):
        cx, cy = x + px * width, y + py * height
        out += (
            f"{cx + 2:.2f} {cy:.2f} m {cx + 2:.2f} {cy + 2:.2f} {cx - 2:.2f} {cy + 2:.2f} "
            f"{cx - 2:.2f} {cy:.2f} c {cx - 2:.2f} {cy - 2:.2f} {cx + 2:.2f} {cy - 2:.2f} "
            f"{cx + 2:.2f} {cy:.2f} c f\n"
        )
    return out


def paragraph(x, y, lines=12):
    words = "the quick brown fox jumps over the lazy dog and then some more"
    return "".join(
        f"BT /F1 10 Tf 1 0 0 1 {x} {y - 12 * i} Tm ({words}) Tj ET\n" for i in range(lines)
    )


def test_a_drawing_is_rendered_at_300_dpi_and_the_text_is_left_out():
    build = Builder()
    build.page(scatter(100, 500, 200, 150) + paragraph(60, 400), size=(500, 700))
    picture = read_one(build.data())
    assert picture.origin == "rendered"
    x0, y0, x1, y1 = picture.place
    assert (x0, y0, x1, y1) == pytest.approx((100, 500, 300, 650), abs=16)
    height, width = picture.pixels.shape[:2]
    assert (width, height) == pytest.approx(((x1 - x0) * 300 / 72, (y1 - y0) * 300 / 72), abs=2)
    assert (picture.pixels < 100).any()


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_drawing_is_found_where_it_is_on_a_turned_and_cropped_page(turn):
    build = Builder()
    page = build.page(scatter(100, 400, 200, 150), size=(500, 700))
    page.CropBox = [50, 60, 480, 690]
    page.Rotate = turn
    picture = read_one(build.data())
    dark = picture.pixels.min(axis=2) < 100
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    height, width = dark.shape
    # Nothing but the drawing: its ink reaches all four sides of the crop, but for a little margin.
    assert max(rows[0], columns[0], height - rows[-1], width - columns[-1]) < 40
    assert (width > height) == (turn in (0, 180))


def test_text_alone_and_tables_are_no_figures():
    build = Builder()
    build.page(paragraph(60, 600, 40), size=(500, 700))
    lines = "".join(f"60 {600 - 20 * i} m 440 {600 - 20 * i} l S\n" for i in range(20))
    build.page(lines + paragraph(60, 605, 30), size=(500, 700))
    assert read(build.data()) == ([], [])


def test_words_with_bullets_are_no_drawing():
    """The same strokes without the words are one."""
    build = Builder()
    build.page(scatter(60, 400, 300, 200) + paragraph(60, 585, 16), size=(500, 700))
    build.page(scatter(60, 400, 300, 200), size=(500, 700))
    assert read_one(build.data()).page == 2


def test_a_photo_with_arrows_on_it_is_read_once():
    build = Builder()
    arrows = scatter(105, 105, 190, 140)
    content = draw("Im", 100, 100, 200, 150) + arrows
    build.page(content, Im=build.dct(jpeg(photo())))
    assert read_one(build.data()).origin == "embedded"


def test_the_same_arrows_without_a_photo_are_a_drawing():
    build = Builder()
    build.page(scatter(105, 105, 190, 140))
    assert read_one(build.data()).origin == "rendered"


def test_pictures_inside_a_drawing_are_left_blank_in_it():
    build = Builder()
    content = scatter(60, 60, 280, 200) + draw("Im", 150, 100, 80, 60)
    build.page(content, Im=build.dct(jpeg(np.zeros((120, 160, 3), np.uint8) + photo() // 4)))
    pictures, unread = read(build.data())
    assert unread == []
    assert [p.origin for p in pictures] == ["embedded", "rendered"]
    x0, _, _, y1 = pictures[1].place
    scale = 300 / 72
    left, right = (int((x - x0) * scale) for x in (152, 228))
    top, bottom = (int((y1 - y) * scale) for y in (158, 102))
    assert (pictures[1].pixels[top:bottom, left:right] == 255).all()
    assert "left blank" in pictures[1].note


def paper(pages=3):
    """A paper with one photo on each page, and their JPEG bytes."""
    build = Builder()
    stored = [jpeg(photo(seed=i)) for i in range(pages)]
    for data in stored:
        build.page(draw("Im", 20, 20, 200, 150) + paragraph(20, 280, 5), Im=build.dct(data))
    return build, stored


def test_an_encrypted_pdf_is_refused_with_the_way_out():
    data = paper()[0].data(encryption=pikepdf.Encryption(owner="o", user="secret"))
    with pytest.raises(UnreadableInputError, match=r"encrypted.*save a copy without"):
        read(data)


def test_a_pdf_encrypted_with_an_empty_password_is_read():
    build, stored = paper()
    data = build.data(encryption=pikepdf.Encryption(owner="o", user=""))
    pictures, unread = read(data)
    assert [p.stored for p in pictures] == stored
    assert unread == []


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_a_truncated_pdf_gives_what_is_left_and_says_that_it_is_cut(share):
    build, stored = paper(6)
    data = build.data(object_stream_mode=pikepdf.ObjectStreamMode.disable)
    cut = data[: int(len(data) * share)]
    items, message = drain(cut)
    found = [item.stored for item in items if isinstance(item, Picture)]
    assert {s for s in stored if s in cut} <= set(found)
    assert message is None
    assert "cut off" in items[0].why


def test_a_pdf_whose_tables_are_lost_gives_its_jpegs():
    build, stored = paper(6)
    data = build.data(object_stream_mode=pikepdf.ObjectStreamMode.disable)
    items, message = drain(data.replace(b"/Catalog", b"/Nothing").replace(b"/Pages", b"/Nowhe"))
    assert [item.stored for item in items] == stored
    assert all("found in a broken PDF" in item.note for item in items)
    assert "broken or cut off" in message
    assert "BytesIO" not in message


def test_a_pdf_without_its_end_is_read_and_said_to_be_cut():
    build, stored = paper()
    data = build.data(linearize=True)  # what opens the file stands at the front
    pictures, unread = read(data[: data.rindex(b"startxref")])
    assert {p.stored for p in pictures} <= set(stored)
    assert pictures
    assert "cut off" in unread[0].why


def test_a_broken_page_among_good_ones_is_named_and_the_rest_is_read():
    build, stored = paper()
    build.pdf.pages[1].Contents = pikepdf.Stream(build.pdf, b"")
    build.pdf.pages[1].Contents.write(b"this is no zlib stream", filter=Name.FlateDecode)
    pictures, unread = read(build.data(compress_streams=False))
    assert [p.stored for p in pictures] == [stored[0], stored[2]]
    assert [u.what for u in unread] == ["paper.pdf page 2"]
    assert "damaged" in unread[0].why


def test_pages_that_are_no_pages_are_named_together():
    build, stored = paper(5)
    data = build.data(object_stream_mode=pikepdf.ObjectStreamMode.disable, compress_streams=False)
    kids = re.search(rb"/Kids \[ ([^]]*)\]", data)
    first, _, _, fourth, fifth = re.findall(rb"\d+ 0 R", kids[1])
    bad = b" ".join([first, b"99 0 R", b"98 0 R", fourth, fifth])
    pictures, unread = read(data.replace(kids[1], bad.ljust(len(kids[1]))))
    assert [p.stored for p in pictures] == [stored[0], stored[3], stored[4]]
    assert [u.what for u in unread] == ["paper.pdf pages 2 to 3"]


def test_a_broken_picture_is_named_and_the_rest_is_read():
    build, stored = paper()
    broken = build.image(b"no jpeg at all" * 99, 300, 200, Filter=Name.DCTDecode)
    build.page(draw("Im", 20, 20, 200, 150), Im=broken)
    pictures, unread = read(build.data())
    assert [p.stored for p in pictures] == stored
    assert [u.what for u in unread] == ["paper.pdf page 4, picture 1"]


def test_a_jpeg_cut_in_the_middle_gives_its_upper_part():
    pixels, build = photo(320, 400), Builder()
    data = jpeg(pixels)
    image = build.image(data[: len(data) // 2], 400, 320, Filter=Name.DCTDecode)
    build.page(draw("Im", 20, 20, 200, 150), Im=image)
    (picture,), (unread,) = read(build.data())
    rows = picture.pixels.shape[0]
    assert 100 < rows < 220
    assert np.abs(picture.pixels.astype(int) - pixels[:rows]).mean() < 5
    assert unread.why == f"the file is cut off: only the upper {rows} of 320 rows are there"
    assert picture.note == unread.why


def test_pages_beyond_the_limit_are_named_and_cost_nothing():
    build = Builder()
    page = build.page(draw("Im", 20, 20, 200, 150), Im=build.dct(jpeg(photo())))
    build.pdf.pages.extend([page] * 4999)
    seen = []
    items = list(read_pdf(build.data(), "paper.pdf", Limits(pages=30), lambda *a: seen.append(a)))
    assert items[-1] == Unread("paper.pdf pages 31 to 5000", "the limit is 30 pages of one PDF")
    assert seen[0] == ("paper.pdf", 1, 5000)
    assert len(seen) == 30


def test_a_picture_of_900_megapixels_is_refused():
    build, stored = paper(1)
    bomb = build.image(b"\0" * 1000, 30_000, 30_000)
    build.page(draw("Im", 20, 20, 200, 150), Im=bomb)
    pictures, unread = read(build.data())
    assert [p.stored for p in pictures] == stored
    assert "30,000 x 30,000" in unread[0].why
    assert "limit of 200 megapixels" in unread[0].why


def nested(build, levels, times):
    """Forms that draw forms: ``times`` to the power of ``levels`` drawings."""
    form = None
    for _ in range(levels):
        inner = Dictionary() if form is None else Dictionary(XObject=Dictionary(F=form))
        content = b"0 0 m 9 9 l S " if form is None else b"/F Do " * times
        form = build.pdf.make_indirect(
            pikepdf.Stream(
                build.pdf,
                content,
                Type=Name.XObject,
                Subtype=Name.Form,
                BBox=[0, 0, 9, 9],
                Resources=inner,
            )
        )
    return form


def test_forms_that_multiply_are_refused_before_they_are_drawn():
    build, stored = paper(1)
    build.page("/F Do", F=nested(build, 14, 10))
    endless = nested(build, 2, 2)
    endless.Resources.XObject.F = endless
    build.page("/F Do", F=endless)
    build.page("/F Do", F=nested(build, 3, 3))  # a sound one
    pictures, unread = read(build.data())
    assert [p.stored for p in pictures] == stored
    assert [u.what for u in unread] == ["paper.pdf page 2", "paper.pdf page 3"]
    assert all("made to exhaust its reader" in u.why for u in unread)


def test_drawing_commands_that_unpack_to_gigabytes_are_refused():
    build, stored = paper(1)
    bomb = pikepdf.Stream(build.pdf, b"")
    bomb.write(zlib.compress(b"\0" * 40_000_000), filter=Name.FlateDecode)
    build.page().Contents = bomb
    pictures, unread = read(build.data())
    assert [p.stored for p in pictures] == stored
    assert "over 33,554,432 bytes" in unread[0].why


def test_a_page_with_too_many_objects_is_searched_for_pictures_only():
    build = Builder()
    content = scatter(20, 20, 300, 200) + draw("Im", 300, 220, 90, 75)
    build.page(content, Im=build.dct(jpeg(photo())))
    (picture,), unread = read(build.data(), objects=50)
    assert picture.origin == "embedded"
    assert [u.why for u in unread] == ["over 50 objects: drawings on the page were not looked for"]


def test_no_page_and_no_picture():
    build = Builder()
    build.page()
    assert read(build.data()) == ([], [])
    with pytest.raises(UnreadableInputError, match=r"no pages|broken"):
        read(Builder().data())


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_never_raise_anything_but_a_clear_error(seed):
    rng = np.random.default_rng([seed, 0])
    build, _ = paper(4)
    build.page(scatter(20, 20, 300, 200) + draw("Im", 0, 0, 90, 90), Im=build.flate(photo()))
    mode = pikepdf.ObjectStreamMode.generate if seed % 2 else pikepdf.ObjectStreamMode.disable
    data = bytearray(build.data(object_stream_mode=mode))
    for _ in range(4):
        for place in rng.integers(0, len(data), rng.choice([1, 5, 30])):
            data[place] = rng.integers(0, 256)
        items, message = drain(bytes(data))
        assert items or message
        assert "\n" not in (message or "")
