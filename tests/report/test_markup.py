from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamperscope.report.markup import element, name, render, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", "\"><img src=x onerror='y'>", "</p>&amp;&lt;", "]]>", "-->"]
)


class Reader(HTMLParser):
    """Reads a page back, as an independent judge of the escaping."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(ANY_TEXT, ANY_TEXT)
def test_text_stays_text_in_elements_and_attributes(text, attribute):
    page = render(element("p", text, element("b", text), text, title=attribute))
    page.encode("utf-8")
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.tags == [("p", {"title": visible(attribute)}), ("b", {})]
    assert reader.text == 3 * visible(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Fig. 1 – Müller 図版 שלום.pdf", "Fig. 1 – Müller 図版 שלום.pdf"),
        ("two\nlines\t\r\0", r"two\nlines\t\r\x00"),
        ("invoice\u202egnp.exe", r"invoice\u202egnp.exe"),
        ("\u2066x\u2069\u200e\u2028", r"\u2066x\u2069\u200e\u2028"),
        ("\udcff\ufffe\U0001ffff", r"\udcff\ufffe\U0001ffff"),
        ("می‌خواهم 👩‍🔬", "می‌خواهم 👩‍🔬"),  # joiners belong to these scripts
    ],
)
def test_what_has_no_printable_form_is_written_out(text, shown):
    assert visible(text) == shown


def test_attributes_are_named_and_left_out_as_said():
    made = element("a", class_="x", aria_label="y", href=None, hidden=False, checked=True, width=2)
    assert render(made) == '<a class="x" aria-label="y" checked="" width="2"></a>'


def test_children_may_be_nested_and_mixed():
    made = element("p", "a", [element("b", 1), "c", None, ["d"]], 2.50, name("e"))
    assert render(made) == '<p>a<b>1</b>cd2.5<bdi class="name">e</bdi></p>'
