"""Reads a page of HTML as a browser would, and complains where it is not whole."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Checks that tags close in order; keeps ids, sources of pictures and plain text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.ids, self.sources, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def is_self_contained(page: str) -> bool:
    """Whether a page loads nothing, and runs nothing."""
    inside = all(source.startswith(("data:image/", "#")) for source in Reader(page).sources)
    return inside and not re.search(r"https?://|@import|<script|url\(", page)
