"""Edits by name, as on the command line."""

import pytest

from marlcomm.messages import (
    Budget,
    CutBelow,
    Delay,
    Drop,
    Noise,
    Quantise,
    Random,
    RankCut,
    SelfOnly,
    Shuffle,
    Silence,
    parse_edit,
)
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
        ("quantise:4", Quantise(4.0)),
        ("budget:2", Budget(2)),
        ("delay:3", Delay(3)),
        ("cut:0.8,whole", CalibratedCut(0.8, whole=True)),
        ("cut_below:2,whole", CutBelow(2.0, whole=True)),
        ("rank_cut:0.5,whole", RankCut(0.5, whole=True)),
        ("budget:1,whole", Budget(1, whole=True)),
        ("shuffle", Shuffle()),
        ("random", Random()),
        ("self_only", SelfOnly()),
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
        ("quantise:0", "outside"),
        ("budget:1.5", "needs a whole number"),
        ("delay:", "needs a whole number"),
        ("budget:-1", "outside"),
        ("drop:0.5,whole", "'whole' is nothing that drop knows"),
        ("cut:0.5,half", r"'half' is nothing that cut knows \(whole is\)"),
    ],
)
def test_bad_text_is_named(text, message):
    with pytest.raises(ValueError, match=message) as raised:
        parse_edit(text)
    assert repr(text) in str(raised.value)
