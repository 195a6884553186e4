"""Memory: what is known from shapes, and what is refused before it is taken."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.training import make_population
from marlcomm.training.memory import bytes_of, compute, host_bytes_free, in_words, require_room


def test_bytes_are_those_of_the_arrays(sensor):
    population = make_population(sensor, 3)
    arrays = jax.tree.leaves(population.own(population.init(sensor)))
    assert bytes_of(population.template(sensor)) == sum(np.asarray(x).nbytes for x in arrays)


@pytest.mark.parametrize("name", ["replay_episodes", "replay_steps"])
def test_a_replay_that_cannot_fit_is_refused_with_the_size_that_would(name, tmp_path):
    """A step of navigation's replay is some hundreds of bytes: 2^30 of them are hundreds of gigabytes."""
    make = {"replay_episodes": mc.vdn, "replay_steps": mc.maddpg}[name]
    env = mc.make_env("search")
    with pytest.raises(ValueError, match=f"{name}=[0-9,]+ or less \\({2**30:,} now\\)") as refused:
        mc.train(make(env, **{name: 2**30}), steps=1000, seeds=2, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    most = int(re.search(f"{name}=([0-9,]+)", str(refused.value)).group(1).replace(",", ""))
    algorithm = make(env, **{name: int(most * 0.9)})
    require_room(algorithm, make_population(algorithm, 2).template(algorithm), 1, saved=True)


def test_too_many_seeds_are_refused_where_nothing_is_kept_for_replay():
    algorithm = mc.mappo(mc.make_env("sensor"), hidden=2048)
    one = make_population(algorithm, 1).template(algorithm)
    members = host_bytes_free() // bytes_of(one) + 100
    many = jax.tree.map(lambda x: jax.ShapeDtypeStruct((members, *x.shape[1:]), x.dtype), one)
    with pytest.raises(ValueError, match="fewer seeds"):
        require_room(algorithm, many, 2, saved=False)


def test_a_large_state_is_told_of_and_a_small_one_is_not(sensor):
    large = mc.vdn(mc.make_env("search"), replay_episodes=300_000)
    taken = bytes_of(template := make_population(large).template(large))
    assert taken > 2**30
    told = {saved: str(require_room(large, template, 1, saved=saved)) for saved in (False, True)}
    assert told[False].endswith(f"in all {in_words(taken)}")
    assert told[True] == f"{told[False]} and as much again while they are saved"
    assert require_room(sensor, make_population(sensor).template(sensor), 1, saved=False) is None


def test_a_program_that_runs_out_of_memory_ends_in_a_sentence_and_not_in_waiting():
    program = jax.jit(lambda x: (jnp.zeros(2**42), x + 1))
    with pytest.raises(ValueError, match="not enough memory"):
        compute(program, jnp.int32(1))


def test_other_failures_stay_what_they_are():
    with pytest.raises(ZeroDivisionError):
        compute(lambda: 1 / 0)
