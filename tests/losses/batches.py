"""Random padded batches: what networks might have made of episodes that end at different times."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.types import Episodes, Unroll

BATCH, STEPS, AGENTS, ACTIONS, DIMS = 4, 5, 3, 4, 2
HPARAMS = SimpleNamespace(overestimate_weight=0.25)


class Batch(NamedTuple):
    unroll: Unroll
    episodes: Episodes
    lengths: np.ndarray  # [B]: the references read this, never `valid`


def make_batch(seed: int, team: bool = True) -> Batch:
    """Episodes of length 1, of full length and between; terminal or cut by a limit; agents that die, some at once.

    The dead may not act at all: their masks are all False.
    """
    rng = np.random.default_rng(seed)
    lengths = np.array([1, STEPS, *rng.integers(1, STEPS + 1, BATCH - 2)])
    time = np.arange(STEPS)
    valid = time < lengths[:, None]
    terminal = (time == lengths[:, None] - 1) & (rng.random(BATCH) < 0.5)[:, None]
    alive = np.arange(STEPS + 1)[:, None] < rng.integers(0, 2 * STEPS, (BATCH, 1, AGENTS))
    mask = rng.random((BATCH, STEPS + 1, AGENTS, ACTIONS)) < 0.5
    mask[..., rng.integers(ACTIONS)] = True
    groups = 1 if team else AGENTS
    weight = np.broadcast_to(valid[..., None], (BATCH, STEPS, groups))

    def normal(*shape: int, scale: float = 2.0) -> np.ndarray:
        return (scale * rng.normal(size=(BATCH, *shape))).astype(np.float32)

    episodes = Episodes(
        agents_view=normal(STEPS + 1, AGENTS, 2),
        action_mask=mask & alive[..., None],
        global_state=normal(STEPS + 1, 3),
        alive=alive,
        action=rng.integers(0, ACTIONS, (BATCH, STEPS, AGENTS), np.int32),
        reward=normal(STEPS, AGENTS),
        terminal=terminal,
        valid=valid,
        won=np.zeros(BATCH, bool),
    )
    unroll = Unroll(
        q=normal(STEPS + 1, AGENTS, ACTIONS),
        target_q=normal(STEPS + 1, AGENTS, ACTIONS),
        value=normal(STEPS, groups),
        target=normal(STEPS, groups),
        weight=weight.astype(np.float32),
        messages=None,
        auxiliary=what_channels_report(normal),
    )
    return Batch(*jax.tree.map(jnp.asarray, (unroll, episodes)), lengths)


def what_channels_report(normal: Callable[..., np.ndarray]) -> dict[str, np.ndarray]:
    """Named arrays that losses read; `normal` gives Gaussian numbers of a shape, batch first."""

    def of_pairs(name: str) -> dict[str, np.ndarray]:
        """A Gaussian of each pair."""
        mean, spread = (normal(STEPS + 1, AGENTS, AGENTS, DIMS, scale=0.7) for _ in range(2))
        return {f"{name}_mean": mean, f"{name}_variance": 0.1 + spread**2}

    return {
        "posterior_logits": normal(STEPS + 1, AGENTS, ACTIONS),
        "message_mean": normal(STEPS + 1, AGENTS, AGENTS, DIMS),
        "message": normal(STEPS + 1, AGENTS, ACTIONS),
        "gate_logit": normal(STEPS + 1, AGENTS, AGENTS),
        "gate_label": (normal(STEPS + 1, AGENTS, AGENTS) > 0).astype(np.float32),
        "gate_taught": (normal(STEPS + 1, AGENTS, AGENTS) > 0).astype(np.float32),
        "teammate_values": normal(STEPS + 1, AGENTS, AGENTS, ACTIONS),
        "own_values": normal(STEPS + 1, AGENTS, ACTIONS),
        "action_gap": np.abs(normal(STEPS + 1, AGENTS, scale=0.05)),
        "attention_entropy": np.abs(normal(STEPS + 1, AGENTS)),
        **of_pairs("teammate"),
        **of_pairs("posterior"),
        "state_estimate": normal(STEPS + 1, AGENTS, 3),
        "representation": normal(STEPS + 1, AGENTS, DIMS),
        "next_representation": normal(STEPS + 1, AGENTS, DIMS),
        "effect_of_action": normal(STEPS + 1, AGENTS, AGENTS, ACTIONS, 3),
        "effect_basis": normal(STEPS + 1, AGENTS, 3, DIMS),
    }


def loss_and_gradient(loss):
    """(unroll, episodes) -> the loss, and its gradient by what the channel reports."""

    @jax.jit
    def function(unroll, episodes):
        def of(auxiliary):
            return loss(unroll._replace(auxiliary=auxiliary), episodes, HPARAMS)[0]

        return jax.value_and_grad(of)(unroll.auxiliary)

    return function


def real_steps(batch: Batch) -> list[tuple[int, int]]:
    """(episode, step) of all steps that happened."""
    return [(b, t) for b in range(BATCH) for t in range(batch.lengths[b])]


def scramble_after_end(batch: Batch, seed: int) -> Batch:
    """Other contents everywhere after the last real step; `valid` and `weight` still tell where that is."""
    rng = np.random.default_rng(seed)

    def scramble(x: jnp.ndarray) -> np.ndarray:
        x = np.array(x)
        if x.ndim < 2:
            return x
        for b, length in enumerate(batch.lengths):
            rest = x[b, length:]
            if x.dtype == bool:
                rest[...] = rng.random(rest.shape) < 0.5
            elif x.dtype == np.int32:
                rest[...] = rng.integers(0, ACTIONS, rest.shape)
            else:
                rest[...] = 100 * rng.normal(size=rest.shape)
        return x

    unroll, episodes = jax.tree.map(scramble, (batch.unroll, batch.episodes))
    unroll = unroll._replace(weight=batch.unroll.weight)
    return Batch(unroll, episodes._replace(valid=batch.episodes.valid), batch.lengths)
