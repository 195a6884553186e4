"""Edits by name, as on the command line."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.messages import (
    Budget,
    CutBelow,
    Delay,
    Drop,
    Noise,
    Quantize,
    Random,
    RankCut,
    SelfOnly,
    Shuffle,
    Silence,
    parse_edit,
)
from marlcomm.messages.channel import deliver, offer
from marlcomm.messages.edits import CalibratedCut, parse_edits
from marlcomm.names import edit_names
from marlcomm.validation import UsageError

NAMES = [usage.partition(":")[0] for usage, _ in edit_names()]
NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.sampled_from(["", "1e400", "-0.0", "1_000", "٣", "0x10", "nan", "inf", "9" * 5000, "1e6", "2147483648"]),
)
LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from([*NAMES, "cutt", ""]),
    st.sampled_from([":", "", "::", " :"]),
    NUMBERS,
    st.sampled_from(["", ",whole", ",", ",half"]),
)


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
        ("quantize:4", Quantize(4.0)),
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
        ("quantize:0", "outside"),
        ("budget:1.5", "needs a whole number"),
        ("delay:", "needs a whole number"),
        ("budget:-1", "outside"),
        ("noise:inf", "outside"),
        ("noise:1e300", "outside"),
        ("cut_below:nan", "outside"),
        ("quantize:33", "outside"),
        ("delay:-1", "outside"),
        ("drop:0.5,whole", "'whole' is nothing that drop knows"),
        ("cut:0.5,half", r"'half' is nothing that cut knows \(whole is\)"),
    ],
)
def test_bad_text_is_named(text, message):
    with pytest.raises(ValueError, match=message) as raised:
        parse_edit(text)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize("edits", [3, [0.5], None, [Drop(0.5), ["silence"]], Drop])
def test_what_is_neither_an_edit_nor_a_name_is_refused(edits):
    with pytest.raises(UsageError, match=r"must be an edit or its name, such as Drop\(0.5\)"):
        parse_edits(edits)


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.one_of(LINES, st.text()))
def test_any_text_gives_an_edit_that_runs_or_a_sentence(text):
    try:
        edit = parse_edit(text)
    except ValueError as error:
        hypothesis.event("refused")
        if repr(text) not in str(error):
            raise
        return
    if not isinstance(edit, CalibratedCut | Delay):  # which need whole episodes
        content = np.asarray(deliver(run(edit), jnp.ones((2, 2), bool)).content)
        assert np.isfinite(content).all()


@jax.jit
def run(edit):
    return edit(offer(jnp.arange(8.0).reshape(2, 2, 2, 1)), jax.random.PRNGKey(0))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: CutBelow(-1.0), "threshold"),
        (lambda: RankCut(80), "fraction"),
        (lambda: CalibratedCut(float("nan")), "fraction"),
        (lambda: Budget(-1), "entries"),
        (lambda: Budget(1.5), "entries"),
        (lambda: Drop(np.float32(1.1)), "probability"),
        (lambda: Noise(float("inf")), "sigma"),
        (lambda: Quantize(0), "bits"),
        (lambda: Delay(1.5), "steps"),
        (lambda: Drop("0.5"), "probability is '0.5': must be a number"),
        (lambda: Budget("2"), "entries is '2': must be a whole number"),
        (lambda: Drop(np.array(2.0)), r"probability 2\.0"),
        (lambda: Budget(np.array([3, -1, 2])), "entries -1"),
        (lambda: Budget(np.array([3.0, 1.0])), r"entries is 3\.0: must be a whole number"),
        (lambda: Budget(np.float32(2.0)), "entries"),
        (lambda: Quantize(np.array(np.nan)), "bits nan"),
    ],
)
def test_an_edit_made_in_python_is_checked_too(make, name):
    with pytest.raises(ValueError, match=name):
        make()


@pytest.mark.parametrize("edit", [Drop(0.5), Budget(2), Quantize(np.float32(3.0)), CutBelow(jnp.float32(2.0))])
def test_jax_may_take_edits_apart(edit):
    """It fills them with shapes, None, numbers that are traced, and gradients, which have no range."""
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), edit)
    assert jax.tree.structure(stacked) == jax.tree.structure(edit)
    jax.eval_shape(lambda edit: edit, edit)
    jax.tree.map(lambda x: None, edit)
    jax.tree.map(jnp.shape, edit)
    each = jax.jit(jax.vmap(lambda edit: run(edit).sent)).lower(stacked).compile()(stacked)
    np.testing.assert_array_equal(each[0], run(edit).sent)


def test_an_edit_has_a_gradient():
    words = -jnp.ones((1, 2, 2, 1))
    gradient = jax.grad(lambda edit: (words * edit(offer(words), jax.random.PRNGKey(0)).content).sum())(Noise(0.5))
    noise = Noise(1.0)(offer(0 * words), jax.random.PRNGKey(0)).content
    np.testing.assert_allclose(gradient.sigma, -noise.sum(), rtol=1e-5)


def test_a_budget_of_more_than_there_can_be_cuts_nothing():
    assert run(parse_edit("budget:3000000000")).sent.all()
