"""Whatever is given as an option of a task, a task or a sentence comes out."""

import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.envs import env_names, env_options, make_env
from marlcomm.names import COMBAT

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-3, 6)
    | st.sampled_from([2**31, 10**12, -(10**40)])
    | st.floats(width=32)
    | st.text(max_size=4)
    | st.sampled_from(["easy", "medium", "all", "()", "{[]:1}", "nan"])
)
NUMPY = st.sampled_from(
    [np.int64(2), np.float32(0.5), np.bool_(True), np.arange(3), np.zeros((2, 2, 2)), np.array("a")]
)
VALUES = st.recursive(
    PLAIN | NUMPY,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(0, 2), inner, max_size=2)
    ),
    max_leaves=6,
)
ALIKE = {"jaxmarl", *COMBAT} - {"MMM", "1o2r_vs_4r"}  # whose options are JaxMARL's own, or those of one battle
TASKS = [name for name in env_names() if name not in ALIKE]


@pytest.mark.parametrize("name", TASKS)
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True, database=None)
@hypothesis.given(data=st.data())
def test_only_sentences_come_out(name, data):
    names = st.sampled_from([*env_options(name), "other"])
    options = data.draw(st.dictionaries(names, VALUES, min_size=1, max_size=2))
    env, complaint = None, ""
    try:
        env = make_env(name, **options)
    except ValueError as error:
        complaint = str(error)
    if env is None:
        assert complaint
        assert "\n" not in complaint
        assert any(option in complaint for option in options)
    else:
        assert repr(env).startswith(f"{name}(")
        assert len(repr(env)) < 400
        assert json.loads(json.dumps(env.made_by)) is not None
