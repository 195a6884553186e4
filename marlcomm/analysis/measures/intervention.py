"""Interventions on messages: how a receiver's action changes when one sender's message is replaced."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.analysis.measures.codes import Codes
from marlcomm.analysis.measures.recorded import AnyTeam, chosen, delay_of, later, play_and_keep, team_of
from marlcomm.envs.api import Observation
from marlcomm.learners.collect import episode_keys
from marlcomm.learners.episodes import observations
from marlcomm.learners.state import AgentMemory
from marlcomm.messages.edits import ReplaceSender, pairs_at_work
from marlcomm.short_repr import ShortRepr
from marlcomm.training.drivers import QUICK, Same
from marlcomm.training.evaluate import check_episodes
from marlcomm.training.memory import compute
from marlcomm.types import Episodes
from marlcomm.validation import check_seed


@dataclass(frozen=True, repr=False)
class Intervention(ShortRepr):
    """Causal effect of one sender's message on its receiver's action at the step in which it arrives, all else equal.

    K is the largest number of codes of a pair; NaN on the diagonal and beyond a pair's codes. Sender first.

    Attributes:
      muted: [N, N] share of steps on which the receiver's greedy action changes if the message that arrives is zero.
      swapped: [N, N] the same if the message is that of another episode at the same step.
      response: [N, N, K, A] distribution of the receiver's action if the message is code k at every step.
      usual: [N, A] distribution of each agent's action without intervention.
    """

    muted: np.ndarray
    swapped: np.ndarray
    response: np.ndarray
    usual: np.ndarray


def intervene(policy: AnyTeam, codes: Codes, *, episodes: int = 500, seed: int = 0) -> Intervention:
    """Counterfactual actions of every receiver at every step of greedy episodes, for replaced messages of every sender.

    The episodes themselves are not disturbed: memories, views and all other messages are the team's own. Of a
    continuous action, the index of the entry largest in size counts. With a delayed channel, what arrives is replaced:
    what was sent `delay` steps before. Steps count on which sender and receiver are alive, and were when it was sent.

    Args:
      policy: as for `record_episodes`.
      codes: from `find_codes`: the messages to send instead.
      episodes: B, at least 2.
      seed: decides everything.

    Raises:
      ValueError: fewer than 2 episodes, so that there is no other to take messages from; or a team without messages.
    """
    if not codes.content.shape[-1]:
        raise ValueError("intervene: this team has no messages (D is 0)")
    algorithm, params = team_of(policy)
    if check_episodes(algorithm, "episodes", episodes) < 2:
        raise ValueError(f"episodes is {episodes}: must be at least 2, so that messages of another one can be heard")
    key = jax.random.PRNGKey(check_seed("seed", seed))
    played = play_and_keep(algorithm, params, key, episodes)[0].episodes
    content = jnp.moveaxis(jnp.nan_to_num(jnp.asarray(codes.content, jnp.float32)), 2, 0)  # [K, N, N, D]
    played, *answers = jax.device_get((played, *compute(_asker(Same(algorithm)), params, key, played, content)))
    muted, swapped, forced, done = (chosen(each, algorithm.env.continuous) for each in (*answers, played.action))
    pairs = np.asarray(pairs_at_work(played))
    pairs = pairs & later(pairs, delay_of(algorithm))  # [B, T, N, N] between whom something arrives
    both = pairs & np.roll(pairs, 1, 0)  # where the other episode has this step too
    action = done[:, :, None]  # [B, T, 1, N] the receiver's, for every sender
    agents, choices = action.shape[-1], algorithm.env.num_actions
    response = _shares(forced, pairs[:, :, None], choices)  # [K, N, N, A]
    known = np.arange(len(response))[:, None, None] < codes.count
    alive = np.broadcast_to(_alive(played)[:, :, None], (*played.valid.shape, 1, agents))
    return Intervention(
        muted=_mean(muted != action, pairs),
        swapped=_mean(swapped != action, both),
        response=np.moveaxis(np.where(known[..., None], response, np.nan), 0, 2),
        usual=_shares(action[:, :, None], alive[:, :, None], choices)[0, 0],
    )


@functools.lru_cache(maxsize=16)
def _asker(algorithm: Same[Algorithm]) -> Any:
    """`ask_receivers` compiled, kept."""
    return jax.jit(functools.partial(ask_receivers, algorithm.value), compiler_options=QUICK)


def ask_receivers(
    algorithm: Algorithm, params: Any, key: jax.Array, episodes: Episodes, told: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What each receiver would have done at each step of episodes, had it heard something else of each sender.

    Args:
      algorithm, params: who played.
      key: of the episodes.
      episodes: [B, ...] greedy ones.
      told: [K, N, N, D] what else may be heard, sender first.

    Returns:
      actions [B, T, N, N] where the sender is not heard, the same where it is heard as in another episode, and
      [B, T, K, N, N] where each of `told` is; sender first, and A last if continuous.
    """
    senders, delay = jnp.arange(algorithm.env.num_agents), delay_of(algorithm)

    def ask(memory: AgentMemory, now: tuple[Observation, jax.Array, jax.Array]) -> tuple[AgentMemory, jax.Array]:
        observation, action, key = now
        _, after, decision = algorithm.act(params, observation, memory, key)
        arriving = memory.hidden.under_way[-1] if delay else decision.messages
        said, sent = arriving.content, arriving.sent  # [B, N, N, D]

        def instead(content: jax.Array, sent: jax.Array) -> jax.Array:
            """[B, N, N] what each receiver does, for each sender of whom `content` [..., N, N, D] arrives instead."""

            def one(sender: jax.Array) -> jax.Array:
                replace = ReplaceSender(sender, content, sent)
                if not delay:
                    return algorithm.act(params, observation, memory, key, edit=replace)[0]
                under_way = (*memory.hidden.under_way[:-1], replace(arriving, key))
                hidden = memory.hidden._replace(under_way=under_way)
                return algorithm.act(params, observation, memory._replace(hidden=hidden), key)[0]

            return jax.vmap(one, out_axes=1)(senders)

        every = jnp.broadcast_to(told[:, None], (len(told), *said.shape))
        every, every_sent = (
            jnp.concatenate([jnp.stack([jnp.zeros_like(own), jnp.roll(own, 1, 0)]), others])
            for own, others in ((said, every), (sent, every != 0))
        )
        done = jax.vmap(instead, out_axes=1)(every, every_sent)  # [B, 2+K, N, N]: compiled once for all that is said
        return after._replace(last_action=action), done

    batch, steps = episodes.valid.shape
    seen = jax.tree.map(lambda x: x[:, :steps], observations(episodes))
    time_first = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), (seen, episodes.action))
    memory = algorithm.learner.initial_memory(batch)
    _, done = jax.lax.scan(ask, memory, (*time_first, episode_keys(key, steps)[1]))
    done = jnp.moveaxis(done, 0, 1)
    return done[:, :, 0], done[:, :, 1], done[:, :, 2:]


def _alive(played: Episodes) -> np.ndarray:
    """[B, T, N] bool: agents alive at valid steps."""
    return np.asarray(played.alive)[:, :-1] & np.asarray(played.valid)[..., None]


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """[B, T, ...] -> [...] mean over what counts; NaN where nothing does."""
    count = counted.sum((0, 1)).astype(float)
    return (values & counted).sum((0, 1)) / np.where(count > 0, count, np.nan)


def _shares(action: np.ndarray, counted: np.ndarray, choices: int) -> np.ndarray:
    """[B, T, ...] actions -> [..., A] share of each, of what counts."""
    counted = np.broadcast_to(counted, action.shape)
    return np.stack([_mean(action == choice, counted) for choice in range(choices)], -1)
