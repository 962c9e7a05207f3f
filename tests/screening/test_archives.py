import io
import stat
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from tamperscope.errors import UnreadableInputError
from tamperscope.records import Unread
from tamperscope.screening.archives import open_archive, read_archive, read_entry
from tamperscope.screening.limits import Limits


def zipped(entries, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def walk(data, **limits):
    """(what was handed on, what was not read)."""
    handed = {}

    def keep(content, name):
        handed[name] = content
        return iter(())

    with open_archive(data, Limits(**limits)) as archive:
        unread = list(read_archive(archive, "box.zip", Limits(**limits), keep))
    return handed, unread


def test_every_file_is_handed_on_in_sorted_order():
    handed, unread = walk(zipped({"b/two.png": b"2", "a.png": b"1", "b/one.png": b"3"}))
    assert list(handed.items()) == [
        ("box.zip/a.png", b"1"),
        ("box.zip/b/one.png", b"3"),
        ("box.zip/b/two.png", b"2"),
    ]
    assert unread == []


def test_names_that_climb_are_only_names(tmp_path, monkeypatch):
    inside = tmp_path / "deep" / "down"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    names = ["../up.png", "../../up.png", "/tmp/absolute.png", "C:\\win.png", "a/../../b.png"]
    handed, unread = walk(zipped(dict.fromkeys(names, b"x")))
    assert len(handed) == 5
    assert unread == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_names_with_spaces_quotes_newlines_and_other_letters_survive():
    names = ["a b.png", 'it\'s "so".png', "two\nlines.png", "Ünïcode 图.png", "صورة.png"]
    handed, _ = walk(zipped(dict.fromkeys(names, b"x")))
    assert set(handed) == {f"box.zip/{name}" for name in names}


def test_links_are_named_and_not_followed(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read")
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, str(secret))
    handed, unread = walk(out.getvalue())
    assert handed == {}
    assert unread == [
        Unread("box.zip/link.png", "a symbolic link; links in archives are not followed")
    ]


def test_a_zip_bomb_is_refused_by_its_directory():
    data = zipped({"bomb.png": b"\0" * 30_000_000, "sound.png": b"fine"})
    handed, unread = walk(data)
    assert list(handed) == ["box.zip/sound.png"]
    assert unread[0].what == "box.zip/bomb.png"
    assert "over 200 times its packed size" in unread[0].why


def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked_far():
    data = bytearray(zipped({"bomb.png": b"\0" * 30_000_000}))
    true = (30_000_000).to_bytes(4, "little")
    assert data.count(true) == 2  # in the entry and in the directory
    lie = bytes(data).replace(true, (9_000_000).to_bytes(4, "little"))
    tracemalloc.start()
    handed, unread = walk(lie)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert handed == {}
    assert unread == [Unread("box.zip/bomb.png", unread[0].why)]
    assert "over 200 times its packed size" in unread[0].why or "broken" in unread[0].why
    assert peak < 25_000_000


def test_an_archive_that_unpacks_too_far_in_all_is_read_up_to_there():
    rng = np.random.default_rng(1)
    data = zipped({f"{i}.bin": rng.bytes(1000) for i in range(5)})
    handed, unread = walk(data, zip_bytes=3500)
    assert len(handed) == 3
    assert "from 3.bin on it was not read" in unread[0].why


def test_too_many_entries_are_refused():
    data = zipped({str(i): b"" for i in range(11)})
    with pytest.raises(UnreadableInputError, match="11 entries, over the limit of 10"):
        walk(data, zip_entries=10)


def test_one_entry_over_the_limit_of_a_file_is_refused():
    data = zipped({"a.bin": b"12345"}, zipfile.ZIP_STORED)
    with (
        open_archive(data, Limits(file_bytes=4)) as archive,
        pytest.raises(UnreadableInputError, match="over 4 bytes"),
    ):
        read_entry(archive, archive.infolist()[0], Limits(file_bytes=4))


def test_a_damaged_entry_is_named_and_the_rest_is_read():
    rng = np.random.default_rng(2)
    data = bytearray(zipped({"a.bin": rng.bytes(500), "b.bin": b"sound"}, zipfile.ZIP_STORED))
    data[100] ^= 255
    handed, unread = walk(bytes(data))
    assert handed == {"box.zip/b.bin": b"sound"}
    assert unread[0].what == "box.zip/a.bin"
    assert "broken" in unread[0].why


def test_an_encrypted_entry_says_so():
    data = bytearray(zipped({"a.bin": b"secret"}, zipfile.ZIP_STORED))
    data[6] |= 1  # the flag, in the entry
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    _, unread = walk(bytes(data))
    assert unread == [Unread("box.zip/a.bin", "the archive is encrypted; unpack it first")]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cut_archive_is_refused(share):
    data = zipped({"a.bin": np.random.default_rng(3).bytes(5000)})
    with (
        pytest.raises(UnreadableInputError, match="broken or cut off"),
        open_archive(data[: int(len(data) * share)], Limits()),
    ):
        pass


def test_an_empty_archive_and_what_file_managers_leave_behind():
    assert walk(zipped({}))[1] == [Unread("box.zip", "the archive is empty")]
    clutter = {"__MACOSX/._a.png": b"x", ".DS_Store": b"x", "a/.hidden": b"x"}
    assert walk(zipped(clutter)) == ({}, [])


def test_damaged_bytes_never_raise_anything_but_a_clear_error():
    rng = np.random.default_rng(4)
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(out, "PNG")
    clean = zipped({"a.png": out.getvalue(), "b/c.txt": b"words " * 50, "d.png": b""})
    for _ in range(300):
        data = bytearray(clean)
        for place in rng.integers(0, len(data), rng.choice([1, 4, 30])):
            data[place] = rng.integers(0, 256)
        try:
            walk(bytes(data))
        except UnreadableInputError:
            continue
