"""What only a browser can tell: that the page runs, asks for nothing, and answers its keys."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

RIGHT = "\ue014"  # arrow key, as WebDriver spells it
ESCAPE = "\ue00c"
CURRENT = "return document.querySelector('.finding.current')?.id ?? null"
OPACITY = "return document.querySelector('#F1 .over .layer:last-of-type').getAttribute('opacity')"
PRESSED = "return document.querySelector(arguments[0]).getAttribute('aria-pressed')"


@pytest.fixture
def page(browser, written) -> Iterator[object]:
    """The page as it is opened for the first time."""
    browser.open(written / "report.html")
    if browser.run("const kept = localStorage.length; localStorage.clear(); return kept"):
        browser.open(written / "report.html")
    browser.log("browser")
    yield browser
    assert browser.log("browser") == []  # no error, no blocked style or script, no warning


def test_the_page_opens_without_a_word_on_the_console_and_asks_for_nothing(browser, written):
    browser.log("browser")
    browser.log("performance")
    browser.open(written / "report.html")
    assert browser.log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    asked = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [
        (written / "report.html").resolve().as_uri()
    ]
    assert browser.run("return document.documentElement.classList.contains('live')") is True


def test_every_picture_is_decoded(page):
    decode = """
        const pictures = [...document.querySelectorAll('image')].map((one) => {
          const picture = new Image();
          picture.src = one.getAttribute('href');
          return picture;
        });
        return pictures.length;
    """
    assert page.run(decode) == 2 + 3 + 1 + 4  # figures, tiles of F1, A under B, tiles of F2 and F3
    sizes = page.run("return [...document.querySelectorAll('.crop')].map((s) => s.clientHeight)")
    assert min(sizes) > 40


def test_keys_move_between_findings(page):
    assert page.run(CURRENT) is None
    seen = []
    for key in ("j", "j", "j", "j", "k", "k", "k", RIGHT):
        page.press(key)
        seen.append(page.run(CURRENT))
    assert seen == ["F1", "F2", "F3", "F3", "F2", "F1", "F1", "F2"]
    assert page.run("return document.activeElement.id") == "F2"
    assert page.run("return document.querySelector('a[aria-current]').hash") == "#F2"


def test_b_blinks_between_a_and_b_and_stops_when_one_moves_on(page):
    page.press("j")
    assert page.run(PRESSED, "#F1 button.blink") == "false"
    page.press("b")
    assert page.run(PRESSED, "#F1 button.blink") == "true"
    watch = """
        const done = arguments[arguments.length - 1];
        const layer = document.querySelector('#F1 .over .layer:last-of-type');
        const seen = new Set([layer.getAttribute('opacity')]);
        new MutationObserver((_, observer) => {
          seen.add(layer.getAttribute('opacity'));
          if (seen.size === 2) { observer.disconnect(); done([...seen].sort()); }
        }).observe(layer, { attributes: true });
    """
    assert page.run_async(watch) == ["0", "1"]
    page.run("""
        const clear = window.clearInterval;
        window.cleared = 0;
        window.clearInterval = (timer) => { window.cleared += 1; clear(timer); };
    """)
    page.press("j")
    assert page.run("return window.cleared") == 1
    assert page.run(PRESSED, "#F1 button.blink") == "false"
    assert page.run(OPACITY) == "1"


def test_the_slider_mixes_a_beneath_b(page):
    addresses = "return [...document.querySelectorAll(arguments[0])].map((l) => l.href.baseVal)"
    (source,) = page.run(addresses, "#F1 .base .layer")
    beneath, above = page.run(addresses, "#F1 .over .layer")
    assert beneath == source != above
    page.run(
        "const s = document.querySelector('#F1 .mix input');"
        "s.value = 30; s.dispatchEvent(new Event('input'))"
    )
    assert page.run(OPACITY) == "0.3"


def test_tones_and_outlines_are_switched(page):
    page.press("j")
    filtered = "return document.querySelectorAll('#F1 [filter]').length"
    assert page.run(filtered) == 0
    page.press("t")
    assert page.run(filtered) == 5  # both panels, A, and A beneath B
    page.press("t")
    assert page.run(filtered) == 0
    shown = "return getComputedStyle(document.querySelector('#F1 .outlines')).display"
    assert page.run(shown) != "none"
    page.press("o")
    assert page.run(shown) == "none"


def test_a_finding_without_partner_offers_no_blinking(page):
    shown = "return [...document.querySelectorAll('#F2 .controls button')].map((b) => b.className)"
    assert page.run(shown) == ["tones", "outline"]
    page.press("j")
    page.press("j")
    page.press("b")  # does nothing, says nothing


def test_the_filter_hides_a_kind_and_keys_skip_it(page):
    page.click("input.filter[value=duplicate]")
    assert page.run("return document.querySelector('#F1').hidden") is True
    page.press("j")
    assert page.run(CURRENT) == "F2"
    page.click("input.filter[value=duplicate]")
    assert page.run("return document.querySelector('#F1').hidden") is False


def test_a_review_is_shown_and_kept(page, written):
    page.press("j")
    page.press("f")
    page.run(
        "const n = document.querySelector('#F1 .note input');"
        "n.value = 'ask for <b>raw</b> data'; n.dispatchEvent(new Event('input'))"
    )
    page.press("j")
    page.press("e")
    page.open(written / "report.html")
    cells = "return [...document.querySelectorAll('[data-review-of]')].map((c) => c.textContent)"
    assert page.run(cells) == ["Follow up", "Looks explained", "–"]
    assert page.run("return document.querySelector('.progress').textContent") == "2 of 3 reviewed"
    note = "return document.querySelector('#F1 .note input').value"
    assert page.run(note) == "ask for <b>raw</b> data"


def test_the_review_can_be_saved_as_json(page):
    page.press("j")
    page.press("e")
    page.run("""
        window.saved = null;
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => {
          blob.text().then((text) => { window.saved = text; });
          return make(blob);
        };
        HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };
    """)
    page.click("button.export")
    saved = json.loads(
        page.run_async("""
            const done = arguments[0];
            const timer = setInterval(() => {
              if (window.saved) { clearInterval(timer); done(window.saved); }
            }, 5);
        """)
    )
    assert page.run("return window.savedAs") == "review.json"
    assert saved["format"] == "tamperscope-review/1"
    assert saved["reviews"] == [
        {"finding": "F1", "mark": "explained", "note": ""},
        {"finding": "F2", "mark": "", "note": ""},
        {"finding": "F3", "mark": "", "note": ""},
    ]


def test_help_opens_and_single_keys_can_be_switched_off(page):
    opened = "return document.querySelector('dialog.keys').open"
    page.press("?")
    assert page.run(opened) is True
    page.press("j")
    assert page.run(CURRENT) is None  # the dialog has the keys
    page.click("dialog .shortcuts")
    page.press(ESCAPE)
    assert page.run(opened) is False
    page.press("j")
    assert page.run(CURRENT) is None
    page.press(RIGHT)
    assert page.run(CURRENT) == "F1"


def test_typing_a_note_moves_nothing(page):
    page.click("#F2 .note input")
    for key in "jb?":
        page.press(key)
    assert page.run("return document.querySelector('#F2 .note input').value") == "jb?"
    assert page.run(CURRENT) == "F2"


@pytest.mark.parametrize("width", [360, 420, 800, 1280])
def test_nothing_sticks_out_sideways(page, width):
    page.develop(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=900, deviceScaleFactor=1, mobile=width < 700,
    )  # fmt: skip
    try:
        assert page.run("return innerWidth") == width
        assert page.run("return document.documentElement.scrollWidth") <= width
    finally:
        page.develop("Emulation.clearDeviceMetricsOverride")


def test_dark_and_light_have_readable_contrast(page):
    contrast = """
        const light = (text) => {
          const parts = text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
            .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const ground = (one) => {
          const colour = getComputedStyle(one).backgroundColor;
          return colour === 'rgba(0, 0, 0, 0)' ? ground(one.parentElement) : colour;
        };
        return arguments[0].map((selector) => {
          const one = document.querySelector(selector);
          const both = [light(getComputedStyle(one).color), light(ground(one))];
          return [selector, (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)];
        });
    """
    texts = [".reason", ".facts dt", "figcaption", ".remark", ".caution p", ".files a", ".intro",
             ".side .finding-links .number", ".swatch.mark-A", ".swatch.mark-B"]  # fmt: skip
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.develop("Emulation.setEmulatedMedia", features=features)
        for selector, ratio in page.run(contrast, texts):
            assert ratio >= 4.5, (scheme, selector, ratio)  # WCAG 2.2, 1.4.3
    page.develop("Emulation.setEmulatedMedia", features=[])


def test_it_prints(page, tmp_path):
    printed = Path(tmp_path / "report.pdf")
    printed.write_bytes(page.print())
    assert printed.read_bytes().startswith(b"%PDF")
    assert printed.stat().st_size > 20_000


def test_without_scripts_everything_but_the_controls_is_there(browser, written):
    browser.develop("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(written / "report.html")
        shown = browser.text("main")
        assert "What was measured" in shown or "WHAT WAS MEASURED" in shown
        assert "held in 1 of 2" in shown
        assert "Blink" not in shown
        assert "Your review" not in shown
    finally:
        browser.develop("Emulation.setScriptExecutionDisabled", value=False)
