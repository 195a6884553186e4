"""Reads a page of HTML as a browser would, and complains where it is not whole."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link"}


def facts(sentence: str) -> list[str]:
    """What a sentence states: its numbers, and its pairs of agents as "0→1"."""
    return re.findall(r"\d+→\d+|-?\d+(?:\.\d+)?%?", re.sub(r"\s*→\s*", "→", sentence))


class Reader(HTMLParser):
    """Checks that tags close in order; keeps ids, sources of pictures, answers to the page's questions and plain text.

    `answers` maps the id of a section to the paragraph that answers its question.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.ids, self.sources, self.texts = [], [], [], []
        self.answers: dict[str, str] = {}
        self.answering = False
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.answering |= ("class", "answer") in attrs
        self.ids += [value for name, value in attrs if name == "id"]
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.answering &= tag != "p"

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
        if self.answering:
            self.answers[self.ids[-1]] = self.answers.get(self.ids[-1], "") + data

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def is_self_contained(page: str) -> bool:
    """Whether a page loads nothing, and runs nothing."""
    inside = all(source.startswith(("data:image/", "#")) for source in Reader(page).sources)
    return inside and not re.search(r"https?://|@import|<script|url\(", page)
