"""Builds HTML and SVG as trees, so that the standard library does every bit of escaping.

Names of files come from strangers: they may hold quotes, tags, line breaks, characters that turn
the reading direction, or bytes that are no text at all. Whatever is given as text stays text.
"""

import re
from collections.abc import Iterable
from typing import TypeAlias
from xml.etree import ElementTree

Element: TypeAlias = ElementTree.Element
Child: TypeAlias = "Element | str | int | float | Iterable[Child] | None"

# Controls, lone surrogates, line and paragraph separators; marks that change the reading order of
# what follows them and can disguise the end of a file name; noncharacters, which no page may hold.
NOT_SHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
    + "]"
)


def visible(text: str) -> str:
    r"""Write out what has no printable form: a line break becomes ``\n``, a byte ``\udcff``."""
    return NOT_SHOWN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def element(tag: str, /, *children: Child, **attributes: object) -> Element:
    """Make one element.

    Args:
        tag: E.g. ``"p"``.
        children: Text (always escaped), elements, or iterables of both; None adds nothing.
        attributes: ``class_`` writes ``class`` and ``aria_label`` ``aria-label``; True writes an
            attribute without a value's meaning (``disabled=""``), None and False leave it out.
    """
    made = ElementTree.Element(tag)
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        text = "" if value is True else _text(value)
        made.set(key.rstrip("_").replace("_", "-"), text)
    _add(made, children)
    return made


def name(text: str) -> Element:
    """Set a name that others chose apart from our own words, whichever way it is written."""
    return element("bdi", text, class_="name")


def render(*roots: Element) -> str:
    """Serialise elements as HTML, one after the other."""
    return "".join(ElementTree.tostring(root, encoding="unicode", method="html") for root in roots)


def _add(parent: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, ElementTree.Element):
        parent.append(child)
    elif isinstance(child, (str, int, float)):
        text = _text(child)
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text
    else:
        for one in child:
            _add(parent, one)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return visible(str(value))
