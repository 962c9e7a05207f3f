import base64
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from tamperscope import report
from tamperscope.errors import OutputError
from tamperscope.records import Screening
from tamperscope.report import album, read_findings, rebuild
from tamperscope.report.markup import visible

VOID = {"meta", "input", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """A page as a browser reads it: every element with its attributes, its path and its text."""

    def __init__(self, file: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []  # (tag, text)
        self.source = file.read_text("utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == [], "elements were left open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def words(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in ("script", "style"))


@pytest.fixture(scope="module")
def page(written):
    return Page(written / "report.html")


def written_with(example, out: Path, **changes: object) -> Page:
    example.screening = replace(example.screening, **changes)
    return Page(example.write(out))


def test_nothing_is_asked_from_elsewhere(page, written):
    allowed = re.compile(r"#[\w.-]+|data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")
    for tag, attributes in page.elements:
        for key in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
            if key in attributes and not allowed.fullmatch(attributes[key]):
                assert tag == "a", (tag, attributes[key][:80])
                assert (written / attributes[key]).is_file(), attributes[key]
    tags = Counter(tag for tag, _ in page.elements)
    assert not {"link", "iframe", "object", "embed", "base", "img"} & set(tags)
    assert tags["script"] == tags["style"] == 1
    assert "url(" not in re.sub(r"url\(#\$\{", "", page.source)
    assert "@import" not in page.source


def test_the_policy_forbids_requests_and_knows_style_and_script_by_digest(page):
    metas = [m for m in page.all("meta") if "http-equiv" in m]
    policy = dict(part.split(" ", 1) for part in metas[0]["content"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    for tag in ("style", "script"):
        text = "".join(data for where, data in page.texts if where == tag)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
    for _, attributes in page.elements:  # the policy would block these
        assert not [key for key in attributes if key == "style" or key.startswith("on")]


def test_hostile_names_are_shown_as_text(page, example):
    hostile = [given for given, _ in example.screening.run.inputs]
    hostile += [unread.what for unread in example.screening.unread]
    for given in hostile:
        assert visible(given) in page.words
    assert "\n" not in visible(hostile[0])
    assert not any("alert" in json.dumps(attributes) for tag, attributes in page.elements
                   if tag in ("script", "img"))  # fmt: skip


def test_headings_step_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    main = levels[levels.index(1) :]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(main))


def test_ids_are_unique_and_every_reference_has_its_target(page):
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert set(ids.values()) == {1}
    for _, attributes in page.elements:
        for key in ("aria-labelledby", "href", "data-tones"):
            target = attributes.get(key, "")
            if key != "href":
                assert not target or target in ids
            elif target.startswith("#"):
                assert target[1:] in ids


def test_every_picture_and_every_control_has_a_name(page):
    drawings = [a for a in page.all("svg") if "viewbox" in a and "aria-hidden" not in a]
    named = [a["aria-label"] for a in drawings if a.get("role") == "img"]
    nested = [a for a in drawings if "role" not in a]  # panels inside the drawing of a pair
    assert len(named) == 1 + 3 + 2 + 2 + 3 + 2  # pair, its tiles, seam, flat area, places, figures
    assert len(nested) == 2
    assert len(set(named)) >= 9
    assert "A as printed, panel 1 of figure 1, page 3" in named
    for tag, attributes in page.elements:
        if tag == "input":
            assert attributes["type"] in ("radio", "checkbox", "text") or attributes["aria-label"]
    labels = page.source.count("<label>") + page.source.count('<label class="note">')
    boxes = [a for a in page.all("input") if a["type"] in ("radio", "checkbox", "text")]
    assert labels == len(boxes)


def test_figures_are_in_the_page_once(page):
    shelf = [a for a in page.all("image") if a.get("id", "").startswith("picture-")]
    assert [a["id"] for a in shelf] == ["picture-f001", "picture-f002"]
    assert len(page.all("use")) == 2 + 3 + 2  # pair, places, panels


def test_the_statistics_are_told_in_words(page):
    for said in (
        "1 pair of panels that share content",
        "3 observations",
        "Turned by 90° counter-clockwise.",
        "None of the unrelated pairs of the comparison aligns this well",
        "Compared with: microscopy, 4,950 unrelated pairs",
        "held in 1 of 2",
        "lost: cropped",
        "0 of 37 other panels match as well",
        "About 1 in 50 unaltered panels shows one as strong",
        "17.5",
        "1 thing was",
        "it is encrypted & cannot be read",
        "Rendered at 300 dpi.",
        "16 bit, stretched.",
        "not verdicts",
        "panel B of figure 1",
        "ab" * 32,
        "0" * 40,
        "12.5 s",
    ):
        assert said in page.words, said


def test_no_word_of_the_page_is_a_verdict(page):
    said = page.words.lower().replace("tamperscope", "")
    for word in ("fraud", "fake", "falsif", "fabricat", "manipulat", "misconduct", "suspicious",
                 "guilty", "tamper", "cheat"):  # fmt: skip
        assert word not in said


def test_an_interrupted_run_says_so(example, tmp_path, page):
    stopped = replace(example.screening.run, interrupted=True)
    banner = "This screening was stopped before it was done."
    assert banner in written_with(example, tmp_path, run=stopped).words
    assert banner not in page.words


def test_a_screening_without_findings_is_no_certificate(example, tmp_path):
    page = written_with(example, tmp_path, findings=(), unread=())
    assert "No observation was made." in page.words
    assert "not that nothing is there" in page.words
    assert "hidden" in next(a for a in page.all("aside"))
    assert "A report without observations is no certificate." in page.words
    assert "Everything that was given was read." in page.words


def test_a_screening_of_nothing_has_a_page_too(example, tmp_path):
    page = written_with(example, tmp_path, figures=(), findings=())
    assert "No figure was found." in page.words
    assert "0 documents with 0 figures" in page.words


def test_the_page_is_rebuilt_from_findings_and_evidence_without_torch(example, tmp_path):
    first = example.write(tmp_path).read_bytes()
    (tmp_path / "report.html").unlink()
    code = (
        "import sys; sys.modules['torch'] = None\n"  # an import of torch would fail
        "from pathlib import Path; from tamperscope.report import rebuild\n"
        "rebuild(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / "report.html").read_bytes() == first


def test_times_change_the_times_alone(example, tmp_path):
    one = written_with(example, tmp_path / "a").source
    slower = replace(example.screening.run, seconds=99.0)
    two = written_with(example, tmp_path / "b", run=slower).source
    assert one != two
    assert one.replace("12.5 s", "99.0 s") == two


@pytest.mark.parametrize("file", ["evidence/F1-aligned.png", "evidence/previews/f001.jpg"])
@pytest.mark.parametrize("how", ["missing", "broken"])
def test_evidence_that_is_gone_is_an_error_that_names_it(example, tmp_path, file, how):
    example.write(tmp_path)
    (tmp_path / file).unlink()
    if how == "broken":
        (tmp_path / file).write_bytes(b"no picture")
    with pytest.raises(OutputError, match=re.escape(Path(file).name)):
        rebuild(tmp_path)


def test_a_findings_file_cannot_reach_outside_its_folder(example, tmp_path):
    out = tmp_path / "out"
    example.write(out)
    (tmp_path / "secret.png").write_bytes((out / "evidence/F1-source.png").read_bytes())
    data = json.loads((out / "findings.json").read_bytes())
    data["findings"][0]["evidence"]["pictures"]["source"] = "evidence/../../secret.png"
    (out / "findings.json").write_text(json.dumps(data))
    with pytest.raises(OutputError, match="outside"):
        rebuild(out)


def test_findings_that_name_no_picture_are_an_error(example, tmp_path):
    example.write(tmp_path)
    data = json.loads((tmp_path / "findings.json").read_bytes())
    del data["findings"][0]["evidence"]["pictures"]["aligned"]
    (tmp_path / "findings.json").write_text(json.dumps(data))
    with pytest.raises(OutputError, match="'aligned' picture of F1"):
        rebuild(tmp_path)


def test_pictures_beyond_the_budget_are_linked_instead(example, tmp_path, monkeypatch):
    full = example.write(tmp_path).stat().st_size
    budget = round(1.2 * (tmp_path / "evidence/previews/f001.jpg").stat().st_size)
    monkeypatch.setattr(album.Album.__init__, "__defaults__", (budget,))
    page = Page(rebuild(tmp_path))
    assert "Left out of the page, which would become too large." in page.words
    assert "Not drawn here, to keep the page small." in page.words
    pictures = sum(len(a["href"]) for a in page.all("image"))
    assert budget < pictures <= budget * 4 / 3 + 4 * 40
    assert len(page.source) < full / 2


def test_figures_with_findings_go_into_the_page_before_others(example, tmp_path, monkeypatch):
    other = replace(example.screening.figures[0], id="f000", panels=())
    example.figures["f000"] = example.figures["f001"]
    example.screening = replace(example.screening, figures=(other, *example.screening.figures))
    example.write(tmp_path)
    budget = round(1.2 * (tmp_path / "evidence/previews/f001.jpg").stat().st_size)
    monkeypatch.setattr(album.Album.__init__, "__defaults__", (budget,))
    page = Page(rebuild(tmp_path))
    shelf = [a["id"] for a in page.all("image") if a.get("id", "").startswith("picture-")]
    assert shelf == ["picture-f001"]


def test_the_budget_keeps_any_page_below_fifteen_megabytes():
    assert album.BUDGET * 4 / 3 < 14e6


def test_reviews_are_kept_under_a_name_of_their_findings(example, tmp_path, page):
    def key(one: Page) -> str:
        return one.all("body")[0]["data-key"]

    other = written_with(example, tmp_path, findings=example.screening.findings[:1])
    assert re.fullmatch("[0-9a-f]{16}", key(page))
    assert key(other) != key(page)


def test_many_documents_are_counted_in_the_headline(example, tmp_path):
    figures = tuple(
        replace(example.screening.figures[1], id=f"f{n:03}", document=f"d{n}.png", panels=())
        for n in range(1, 6)
    )
    example.figures = dict.fromkeys((f.id for f in figures), example.figures["f002"])
    page = written_with(example, tmp_path, figures=figures, findings=())
    assert "and 2 more" in page.words
    assert "5 documents with 5 figures were screened" in page.words
    assert "No panel was found in this figure." in page.words


def test_reading_the_written_findings_gives_the_documented_screening(written):
    screening = read_findings(written)
    assert isinstance(screening, Screening)
    assert report.schema()["title"] == "tamperscope-screening/1"
