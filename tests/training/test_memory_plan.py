"""The memory plan: what is estimated from a trace against what the compiler says, and populations that are split."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.training import make_population, memory_plan
from marlcomm.training.live_bytes import AT_MOST, SURELY, live_bytes
from marlcomm.training.memory import bytes_of
from marlcomm.training.memory_plan import MemberMemory, member_memory, split_to_fit

F4 = 4  # bytes of a float


def estimated(function, *shapes):
    return live_bytes(jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)))


def test_fused_values_cost_nothing_and_results_what_they_are():
    assert estimated(lambda x: (x + 1) * 2 - x, (1000,)) == 1000 * F4
    assert estimated(lambda x: (x * 2).sum(), (1000,)) == F4


def test_products_lie_in_memory_as_long_as_somebody_reads_them():
    def chain(x, w):
        first = x @ w
        second = first @ w
        return (second @ w).sum()

    assert estimated(chain, (64, 64), (64, 64)) == 2 * 64 * 64 * F4 + F4

    def kept(x, w):
        first = x @ w
        second = first @ w
        return (second @ w + first).sum()

    assert estimated(kept, (64, 64), (64, 64)) == 3 * 64 * 64 * F4 + F4


def test_a_loop_holds_what_it_stacks_and_one_turn_and_updates_in_place():
    def loop(x):
        return jax.lax.scan(lambda carry, _: (carry + 1.0, jnp.sin(carry)), x, None, length=10)

    assert estimated(loop, (100,)) == 10 * 100 * F4
    assert estimated(lambda x: x.at[3].set(1.0), (1000,)) <= F4  # the place that is written to


@pytest.mark.parametrize(
    ("name", "task", "settings"),
    [
        ("qmix", "hallway", {"hidden": 32, "num_envs": 8, "replay_episodes": 64}),
        pytest.param("mappo", "sensor", {"num_envs": 32}, marks=pytest.mark.slow),
        pytest.param("maddpg", "search", {"hidden": 32, "replay_steps": 2000}, marks=pytest.mark.slow),
    ],
)
def test_estimates_hold_what_the_compiler_needs(name, task, settings):
    algorithm = mc.make_algorithm(name, mc.make_env(task), **settings)
    memory, state = member_memory(algorithm), jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
    assert memory.state == bytes_of(state)
    assert memory.replay == bytes_of(state.replay)
    quick = {"xla_backend_optimization_level": 1}
    step = jax.jit(algorithm.step, donate_argnums=0).lower(state, jnp.int32(10**6)).compile(quick)
    assert SURELY * memory.update < step.memory_analysis().temp_size_in_bytes < AT_MOST * memory.update


def test_a_population_is_split_into_parts_that_fit_and_one_member_that_does_not_is_refused(monkeypatch):
    algorithm = mc.vdn(mc.make_env("search"), replay_episodes=1000)
    memory = MemberMemory(10, 10, 60, 20, 40)
    each = 100 + AT_MOST * 40 + 100  # state, on the way, and the copy that is saved
    monkeypatch.setattr(memory_plan, "host_bytes_free", lambda: int(4.5 * each))
    assert split_to_fit(algorithm, 10, memory, saved=True) == [4, 3, 3]
    assert split_to_fit(algorithm, 4, memory, saved=True) == [4]
    real = member_memory(algorithm)
    monkeypatch.setattr(memory_plan, "host_bytes_free", lambda: real.state)
    with pytest.raises(ValueError, match="one member of") as refused:
        split_to_fit(algorithm, 1, real, saved=True)
    assert "replay_episodes=" in str(refused.value)
    assert "are free" in str(refused.value)


def test_a_population_that_does_not_divide_is_padded_and_nobody_sees_it(sensor, monkeypatch):
    devices = jax.devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices")
    monkeypatch.setattr(jax, "devices", lambda: devices)
    population = make_population(sensor, 3)
    assert (population.mesh().size, population.members_together, population.places) == (2, 1, 4)
    padded = population.padded(np.arange(3))
    assert padded.tolist() == [0, 1, 2, 2]
    assert population.own(padded).tolist() == [0, 1, 2]
    doubled = jax.jit(population.spread(lambda x, y: 2 * x + y, shared=1))
    assert doubled(jnp.arange(3), 1).tolist() == [1, 3, 5]
    assert doubled(jnp.asarray(padded), 1).tolist() == [1, 3, 5, 5]
