import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from tamperscope.records import Unread
from tamperscope.screening.archives import open_archive
from tamperscope.screening.docx import is_docx, read_docx
from tamperscope.screening.limits import Limits
from tamperscope.screening.picture import Picture

SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def photo(height=120, width=160, seed=0):
    rng = np.random.default_rng([seed, 9])
    small = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def encoded(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def blip(relation, crop=""):
    return (
        f'<w:p><w:r><pic:blipFill><a:blip r:embed="{relation}"/>{crop}<a:stretch/>'
        "</pic:blipFill></w:r></w:p>"
    )


def docx(body, targets, media, **parts):
    """A Word document: body XML, {relation id: target}, {media name: bytes}, further parts."""
    relations = "".join(
        f'<Relationship Id="{key}" Type="image" Target="{target}"'
        + (' TargetMode="External"' if "://" in target else "")
        + "/>"
        for key, target in targets.items()
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "word/document.xml", f"<w:document {SPACES}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>',
        )
        for name, data in media.items():
            archive.writestr(f"word/media/{name}", data)
        for name, data in parts.items():
            archive.writestr(f"word/{name.replace('__', '.')}", data)
    return out.getvalue()


def read(data, **limits):
    with open_archive(data, Limits(**limits)) as archive:
        assert is_docx(archive)
        items = list(read_docx(archive, "draft.docx", Limits(**limits)))
    pictures = [item for item in items if isinstance(item, Picture)]
    return pictures, [item for item in items if isinstance(item, Unread)]


def test_pictures_come_as_stored_in_the_order_of_the_text():
    first, second = encoded(photo(seed=1), "JPEG"), encoded(photo(seed=2))
    pictures, unread = read(
        docx(
            blip("r2") + blip("r1"),
            {"r1": "media/image1.png", "r2": "media/image2.jpeg"},
            {"image1.png": second, "image2.jpeg": first},
        )
    )
    assert unread == []
    assert [p.stored for p in pictures] == [first, second]
    assert [p.suffix for p in pictures] == [".jpg", ".png"]
    np.testing.assert_array_equal(pictures[1].pixels, photo(seed=2))
    assert {p.document for p in pictures} == {"draft.docx"}
    assert {p.origin for p in pictures} == {"media"}
    assert {p.page for p in pictures} == {None}
    assert [p.note for p in pictures] == ["image2.jpeg", "image1.png"]


def test_what_a_crop_hides_is_screened_and_said():
    body = blip("r1", '<a:srcRect l="20000" b="12500"/>')
    pixels = photo()
    (picture,), unread = read(docx(body, {"r1": "media/a.png"}, {"a.png": encoded(pixels)}))
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.note == (
        "a.png; the text hides part of it (20.0% at the left, 12.5% at the bottom); "
        "the whole stored picture is screened"
    )
    assert unread == []


def test_an_old_vml_picture_and_its_crop_are_found():
    body = '<w:p><v:imagedata r:id="r1" croptop="16384f" cropright=".1"/></w:p>'
    (picture,), _ = read(docx(body, {"r1": "/word/media/a.png"}, {"a.png": encoded(photo())}))
    assert "(25.0% at the top, 10.0% at the right)" in picture.note


def test_a_picture_shown_twice_is_read_once_with_both_crops():
    body = blip("r1") + blip("r2", '<a:srcRect t="50000"/>')
    targets = {"r1": "media/a.png", "r2": "media/a.png"}
    (picture,), _ = read(docx(body, targets, {"a.png": encoded(photo())}))
    assert "50.0% at the top" in picture.note
    assert "shown 2 times" in picture.note


def test_a_picture_that_the_text_does_not_show_is_read_and_said():
    (picture,), _ = read(docx("<w:p/>", {}, {"left over.png": encoded(photo())}))
    assert picture.note == "left over.png; stored in the file but not shown in its text"


def test_pictures_of_headers_and_footnotes_count_as_shown():
    header = f"<w:hdr {SPACES}>{blip('r9')}</w:hdr>"
    data = docx("<w:p/>", {}, {"a.png": encoded(photo())}, header1__xml=header)
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(
            "word/_rels/header1.xml.rels",
            f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r9" Target="media/a.png"/>'
            "</Relationships>",
        )
    (picture,), unread = read(out.getvalue())
    assert picture.note == "a.png"
    assert unread == []


def test_drawings_are_named_with_the_reason():
    media = {"a.emf": b"\x01\0\0\0 EMF", "b.wmf": b"\xd7\xcd\xc6\x9a", "c.svg": b"<svg/>"}
    pictures, unread = read(docx("<w:p/>", {}, {**media, "d.png": encoded(photo())}))
    assert len(pictures) == 1
    assert [u.what for u in unread] == [f"draft.docx: {name}" for name in media]
    for item, kind in zip(unread, ("EMF", "WMF", "SVG"), strict=True):
        assert item.why == f"a drawing in {kind} format, which is not read; export it as PNG or PDF"


def test_an_emf_that_is_a_png_is_read():
    (picture,), unread = read(docx("<w:p/>", {}, {"a.emf": encoded(photo())}))
    assert picture.suffix == ".png"
    assert unread == []


def test_no_pictures_icons_and_linked_pictures_are_said():
    assert read(docx("<w:p/>", {}, {})) == (
        [],
        [Unread("draft.docx", "the document holds no pictures")],
    )
    data = docx(
        blip("r1") + blip("r2"),
        {"r1": "https://example.org/a.png", "r2": "media/i.png"},
        {"i.png": encoded(photo(40, 40))},
    )
    pictures, unread = read(data)
    assert pictures == []
    assert [u.why for u in unread] == [
        "a picture is linked, not stored in the file: https://example.org/a.png",
        "set aside as an icon or logo: 40 x 40 pixels",
    ]


def test_a_broken_picture_a_bomb_and_broken_text_leave_the_rest():
    data = docx(
        blip("r1") + "<not closed>",
        {"r1": "media/a.png"},
        {"a.png": encoded(photo()), "b.png": b"\x89PNG\r\n\x1a\n broken", "c.png": b""},
    )
    pictures, unread = read(data)
    assert len(pictures) == 1
    assert "document.xml is broken" in unread[0].why
    assert [u.what for u in unread[1:]] == ["draft.docx: b.png", "draft.docx: c.png"]
    bomb = docx("<w:p/>", {}, {"a.png": b"\0" * 30_000_000})
    pictures, unread = read(bomb)
    assert pictures == []
    assert "as a zip bomb does" in unread[0].why


@pytest.mark.parametrize("kind", ["TIFF", "GIF"])
def test_every_frame_of_a_picture_is_read_and_the_file_kept_once(kind):
    frames = [Image.fromarray(photo(seed=s)) for s in range(3)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    pictures, _ = read(docx("<w:p/>", {}, {"a.bin": out.getvalue()}))
    assert [p.stored for p in pictures] == [out.getvalue(), None, None]


def test_charts_and_embedded_objects_are_counted():
    data = docx("<w:p/>", {}, {"a.png": encoded(photo())}, **{"charts/chart1__xml": "<c/>"})
    pictures, unread = read(data)
    assert len(pictures) == 1
    assert unread == [Unread("draft.docx", "1 chart(s) drawn by Word in it not opened")]


def test_a_crop_that_is_no_number_crops_nothing():
    body = blip("r1", '<a:srcRect l="left" t="10000"/>')
    (picture,), unread = read(
        docx(body, {"r1": "../word/media/a.png"}, {"a.png": encoded(photo())})
    )
    assert "(10.0% at the top)" in picture.note
    assert unread == []
