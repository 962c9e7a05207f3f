import hashlib
import io
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from PIL import Image

from tamperscope.records import Unread
from tamperscope.screening.documents import (
    LoadedFigure,
    input_hashes,
    printable,
    read_documents,
)
from tamperscope.screening.limits import Limits


def photo(height=120, width=160, seed=0):
    rng = np.random.default_rng([seed, 11])
    small = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def encoded(pixels, kind="PNG", **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def pdf(*pictures):
    """A PDF that draws one JPEG on each page."""
    document = pikepdf.new()
    for data in pictures:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
        document.add_blank_page(page_size=(400, 300))
        page = document.pages[-1]
        image = pikepdf.Stream(
            document,
            data,
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=width,
            Height=height,
            ColorSpace=pikepdf.Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=image))
        page.Contents = document.make_stream(b"q 200 0 0 150 9 9 cm /Im Do Q")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def zipped(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(picture):
    body = '<w:document xmlns:w="w"/>'
    return zipped({"word/document.xml": body, "word/media/image1.png": picture})


def read(*inputs, **limits):
    items = list(read_documents([Path(i) for i in inputs], limits=Limits(**limits)))
    figures = [item for item in items if isinstance(item, LoadedFigure)]
    return figures, [item for item in items if isinstance(item, Unread)]


def test_any_mix_of_inputs_is_numbered_in_order(tmp_path):
    first, second, third = (encoded(photo(seed=s), "JPEG") for s in range(3))
    (tmp_path / "paper.pdf").write_bytes(pdf(first, second))
    (tmp_path / "draft.docx").write_bytes(docx(encoded(photo(seed=4))))
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.png").write_bytes(encoded(photo(seed=5)))
    (folder / "sub" / "a.webp").write_bytes(encoded(photo(seed=6), "WEBP"))
    (folder / "a.tif").write_bytes(encoded(photo(seed=7), "TIFF"))
    (tmp_path / "box.zip").write_bytes(zipped({"in/c.pdf": pdf(third)}))
    names = ["paper.pdf", "draft.docx", "folder", "box.zip"]
    figures, unread = read(*(tmp_path / name for name in names))
    assert unread == []
    assert [f.figure.id for f in figures] == [f"f{i:03d}" for i in range(1, 8)]
    assert [Path(f.figure.document).relative_to(tmp_path).as_posix() for f in figures] == [
        "paper.pdf",
        "paper.pdf",
        "draft.docx",
        "folder/a.tif",
        "folder/b.png",
        "folder/sub/a.webp",
        "box.zip/in/c.pdf",
    ]
    assert [f.figure.page for f in figures] == [1, 2, None, None, None, None, 1]
    assert [f.figure.origin for f in figures] == [
        *["embedded"] * 2, "media", *["image"] * 3, "embedded"
    ]  # fmt: skip
    assert figures[1].stored == second
    assert figures[1].figure.sha256 == hashlib.sha256(second).hexdigest()
    assert figures[1].figure.place == pytest.approx((9, 9, 209, 159))
    assert figures[1].drawn[0][0] == 2
    assert all(f.figure.panels == () for f in figures)
    for item in figures:
        assert item.pixels.shape == (item.figure.height, item.figure.width, 3)


def test_an_image_file_is_kept_untouched(tmp_path):
    data = encoded(photo(), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data)
    (figure,), _ = read(tmp_path / "a.jpg")
    assert (figure.stored, figure.suffix, figure.figure.page) == (data, ".jpg", None)


def test_frames_of_a_file_are_pages_and_the_file_goes_with_the_first(tmp_path):
    frames = [Image.fromarray(photo(seed=s)) for s in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    figures, _ = read(tmp_path / "a.tif")
    assert [f.figure.page for f in figures] == [1, 2, 3]
    assert [f.stored is not None for f in figures] == [True, False, False]
    figures, unread = read(tmp_path / "a.tif", frames=2)
    assert len(figures) == 2
    assert "more than 2 frames" in unread[0].why


def test_the_content_decides_and_not_the_extension(tmp_path):
    jpeg = encoded(photo(), "JPEG")
    (tmp_path / "paper.png").write_bytes(pdf(jpeg))
    (tmp_path / "picture.pdf").write_bytes(encoded(photo()))
    (tmp_path / "noise.docx").write_bytes(zipped({"a.png": encoded(photo())}))
    (tmp_path / "notes.pdf").write_text("no PDF at all")
    (tmp_path / "talk.docx").write_bytes(zipped({"[Content_Types].xml": "", "ppt/a.xml": ""}))
    (tmp_path / "old.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    figures, unread = read(tmp_path)
    assert [Path(f.figure.document).name for f in figures] == ["a.png", "paper.png", "picture.pdf"]
    assert [Path(u.what).name for u in unread] == ["notes.pdf", "old.docx", "talk.docx"]
    assert unread[0].why == "neither PDF, DOCX, zip nor an image that can be read here"
    assert "password-protected Office file" in unread[1].why
    assert unread[2].why == "a file of PowerPoint, which is not read; save it as PDF"


def test_every_kind_of_broken_file_is_named_and_the_rest_is_read(tmp_path):
    jpeg, png = encoded(photo(320, 400), "JPEG"), encoded(photo())
    files = {
        "a sound.png": png,
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.pdf": b"%PDF-1.7\n1 0 obj",
        "empty.pdf": b"",
        "empty.png": b"",
        "garbage.png": b"\x89PNG\r\n\x1a\n" + b"x" * 99,
        "half.zip": zipped({"a.png": png})[:-30],
        "none.docx": zipped({"word/document.xml": "<w/>"}),
        "nothing.zip": zipped({}),
        "z sound.png": png,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    figures, unread = read(tmp_path)
    assert [Path(f.figure.document).name for f in figures] == [
        "a sound.png",
        "cut.jpg",
        "z sound.png",
    ]
    whys = {Path(u.what).name: u.why for u in unread}
    assert set(whys) == set(files) - {"a sound.png", "z sound.png"}
    assert "only the upper" in whys["cut.jpg"]
    assert figures[1].figure.note == whys["cut.jpg"]
    assert "broken or cut off" in whys["cut.pdf"]
    assert whys["empty.pdf"] == whys["empty.png"] == "the file is empty (0 bytes)"
    assert whys["garbage.png"].startswith("the file is broken and cannot be decoded as PNG")
    assert "broken or cut off" in whys["half.zip"]
    assert whys["none.docx"] == "the document holds no pictures"
    assert whys["nothing.zip"] == "the archive is empty"


def test_names_with_spaces_quotes_newlines_and_other_letters_survive(tmp_path):
    names = ['it\'s "so" <b>.png', "two\nlines.png", "Ünïcode 图 صورة.png", " lead.png"]
    for name in names:
        (tmp_path / name).write_bytes(encoded(photo()))
    figures, unread = read(*(tmp_path / name for name in names))
    assert [f.figure.document for f in figures] == [str(tmp_path / name) for name in names]
    assert unread == []


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses names that are no UTF-8")
def test_a_name_that_is_no_text_is_shown_with_escapes(tmp_path):
    path = os.fsencode(tmp_path) + b"/b\xff\xfe.png"
    Path(os.fsdecode(path)).write_bytes(encoded(photo()))
    (figure,), _ = read(tmp_path)
    assert figure.figure.document.encode("utf-8").endswith(rb"/b\udcff\udcfe.png")
    assert printable("plain ü") == "plain ü"


def test_what_cannot_be_opened_is_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "sound.png").write_bytes(encoded(photo()))
    figures, unread = read(tmp_path, tmp_path / "missing.pdf", tmp_path / ("n" * 300))
    assert len(figures) == 1
    whys = {Path(u.what).name[:12]: u.why for u in unread}
    assert whys["dangling.png"] == "the file cannot be opened: No such file or directory"
    assert "links are not followed" in whys["loop"]
    assert whys["empty folder"] == "the folder is empty"
    assert whys["missing.pdf"] == "the file cannot be opened: No such file or directory"
    assert "cannot be opened: File name too long" in whys["n" * 12]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_folder_and_a_file_without_permission_are_named(tmp_path):
    """Permissions do not hold for root, who therefore reads as another user in a child process."""
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "a.png").write_bytes(encoded(photo()))
    (tmp_path / "secret.png").write_bytes(encoded(photo()))
    (tmp_path / "sound.png").write_bytes(encoded(photo()))
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tamperscope.screening.documents import read_documents\n"
        "root = Path(sys.argv[1]); os.chdir(root)\n"
        "os.chmod('shut', 0); os.chmod('secret.png', 0); os.chmod('.', 0o755)\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "for item in read_documents([Path('.')]):\n"
        "    print(getattr(item, 'what', None), getattr(item, 'why', None), sep='|')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    (tmp_path / "shut").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "secret.png|the file cannot be opened: Permission denied",
        "shut|the folder cannot be opened: Permission denied",
        "None|None",
    ]


def test_a_file_given_twice_is_read_once(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(photo()))
    figures, unread = read(tmp_path / "a.png", tmp_path)
    assert len(figures) == 1
    assert [u.why for u in unread] == ["given more than once; read once"]


def test_archives_in_archives_are_read_to_a_depth(tmp_path):
    data = encoded(photo())
    for level in range(5):
        data = zipped({f"{level}.zip" if level else "a.png": data})
    (tmp_path / "deep.zip").write_bytes(data)
    figures, unread = read(tmp_path / "deep.zip")
    assert figures == []
    assert Path(unread[0].what).name == "2.zip"
    assert "read 3 deep" in unread[0].why
    figures, unread = read(tmp_path / "deep.zip", zip_depth=5)
    assert len(figures) == 1
    assert unread == []


def test_a_docx_in_a_zip_keeps_both_names(tmp_path):
    (tmp_path / "box.zip").write_bytes(zipped({"a/draft.docx": docx(encoded(photo()))}))
    (figure,), _ = read(tmp_path / "box.zip")
    assert figure.figure.document.endswith("box.zip/a/draft.docx")


def test_names_in_a_zip_write_nothing_anywhere(tmp_path, monkeypatch):
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    Path("box.zip").write_bytes(zipped({"../../up.png": encoded(photo()), "/abs.png": b""}))
    figures, unread = read("box.zip")
    assert [f.figure.document for f in figures] == ["box.zip/../../up.png"]
    assert [u.what for u in unread] == ["box.zip//abs.png"]
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["box.zip"]
    assert not Path("/abs.png").exists()


def test_figures_come_one_by_one(tmp_path):
    """Nothing behind the first figure has been looked at when it comes."""
    (tmp_path / "a.png").write_bytes(encoded(photo()))
    (tmp_path / "b.png").write_bytes(encoded(photo()))
    items = read_documents([tmp_path / "a.png", tmp_path / "b.png"])
    assert isinstance(next(items), LoadedFigure)
    (tmp_path / "b.png").unlink()
    assert isinstance(next(items), Unread)


def test_progress_is_told_of_every_page(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(*(encoded(photo(seed=s), "JPEG") for s in range(3))))
    told = []
    list(read_documents([tmp_path / "a.pdf"], progress=lambda *args: told.append(args)))
    assert told == [(str(tmp_path / "a.pdf"), page, 3) for page in (1, 2, 3)]


def test_hashes_name_every_file_that_can_be_opened(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"words")
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert input_hashes([tmp_path, tmp_path / "missing"]) == [
        (str(tmp_path / "a.png"), hashlib.sha256(b"").hexdigest()),
        (str(tmp_path / "b.txt"), hashlib.sha256(b"words").hexdigest()),
    ]


def test_limits_below_one_are_refused():
    with pytest.raises(ValueError, match="limit pages must be at least 1"):
        Limits(pages=0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
def test_bombs_cost_no_memory(tmp_path):
    """A child process that may take 100 MB more than it has reads one bomb of each kind."""
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0"
    crc = zlib.crc32(header[12:]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(header + crc + b"\0\0\0\0IDAT" + b"\0" * 99)
    (tmp_path / "b.zip").write_bytes(zipped({"bomb.tif": b"\0" * 120_000_000}))
    document = pikepdf.new()
    document.add_blank_page()
    stream = pikepdf.Stream(document, b"")
    packed = zlib.compress(b"\0" * 120_000_000, 1)
    stream.write(packed, filter=pikepdf.Name.FlateDecode)
    document.pages[0].Contents = stream
    document.save(tmp_path / "c.pdf")
    (tmp_path / "z.png").write_bytes(encoded(photo()))
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tamperscope.screening.documents import read_documents\n"
        "now = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "limit = now + 100 * 1024**2\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "for item in read_documents([Path(sys.argv[1])]):\n"
        "    print(getattr(item, 'why', 'a figure'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    image, archive, page, figure = done.stdout.splitlines()
    assert "30,000 x 30,000 pixels" in image
    assert "as a zip bomb does" in archive
    assert "drawing commands of over" in page
    assert figure == "a figure"
