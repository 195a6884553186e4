"""Edits by name, as on the command line."""

import pytest

from marlcomm.messages import CutBelow, Drop, Noise, RankCut, Shuffle, Silence, parse_edit
from marlcomm.messages.edits import CalibratedCut


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("cut:0.8", CalibratedCut(0.8)),
        ("cut:0", CalibratedCut(0.0)),
        ("cut_below:2", CutBelow(2.0)),
        ("cut_below:2.5e-1", CutBelow(0.25)),
        ("rank_cut:1", RankCut(1.0)),
        ("drop:0.5", Drop(0.5)),
        ("noise:3", Noise(3.0)),
        ("shuffle", Shuffle()),
        ("silence", Silence()),
    ],
)
def test_good_text(text, edit):
    parsed = parse_edit(text)
    assert type(parsed) is type(edit)
    assert parsed == edit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown name"),
        ("cutt:0.8", "unknown name.*cut_below.*silence"),
        (":0.8", "unknown name"),
        ("Silence", "unknown name"),
        ("silence:1", "silence takes no number"),
        ("shuffle:", "shuffle takes no number"),
        ("cut", "needs a number"),
        ("drop:", "needs a number"),
        ("drop:half", "needs a number"),
        ("drop:0.5:0.5", "needs a number"),
        ("drop:1.1", r"1.1 is outside 0.0 \.\. 1.0"),
        ("cut:80", r"80.0 is outside 0.0 \.\. 1.0"),
        ("cut:-0.1", "outside"),
        ("rank_cut:nan", "outside"),
        ("noise:-1", "outside"),
        ("cut_below:-2", "outside"),
    ],
)
def test_bad_text_is_named(text, message):
    with pytest.raises(ValueError, match=message) as raised:
        parse_edit(text)
    assert repr(text) in str(raised.value)
