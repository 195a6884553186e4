"""What a receiver does when another message is put in its way: the cause behind positive listening."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.analysis.measures.codes import Codes
from marlcomm.analysis.measures.recorded import QUICK, AnyTeam, Same, chosen, team_of
from marlcomm.envs.api import Observation
from marlcomm.learners.collect import collect
from marlcomm.messages.pair_edits import ReplaceSender
from marlcomm.short_repr import ShortRepr
from marlcomm.training.evaluate import check_episodes
from marlcomm.types import Episodes, others
from marlcomm.validation import check_seed


@dataclass(frozen=True, repr=False)
class Intervention(ShortRepr):
    """What receivers do when what one sender tells them is replaced, at one step, all else as it was.

    K is the largest number of codes of a pair; NaN on the diagonal and beyond a pair's codes.

    Attributes:
      muted: [N, N] share of steps on which the receiver's greedy action changes when the sender is not heard.
      swapped: [N, N] the same, when the receiver hears what the sender said in another episode at that step.
      response: [N, N, K, A] how often the receiver takes each action when the sender says this code, whatever it sees.
      usual: [N, A] how often each agent takes each action as it is.
    """

    muted: np.ndarray
    swapped: np.ndarray
    response: np.ndarray
    usual: np.ndarray


def intervene(policy: AnyTeam, codes: Codes, *, episodes: int = 500, seed: int = 0) -> Intervention:
    """Plays greedy episodes; at every step asks what each receiver would have done, had a sender said something else.

    The episode itself goes on undisturbed: memories, views and all other messages are those of the team as it is. Of
    continuous actions, the number that is largest in size counts as the action. A channel with a delay delivers what
    is replaced later, so that nothing changes at that step.

    Args:
      policy: as for `record_episodes`.
      codes: from `find_codes`: what is put into senders' mouths.
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
    play = _player(Same(algorithm), episodes)
    content = jnp.moveaxis(jnp.nan_to_num(jnp.asarray(codes.content, jnp.float32)), 2, 0)  # [K, N, N, D]
    played, *answers = jax.device_get(play(params, jax.random.PRNGKey(check_seed("seed", seed)), content))
    muted, swapped, forced, done = (chosen(each, algorithm.env.continuous) for each in (*answers, played.action))
    pairs = _pairs(played)  # [B, T, N, N]
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
def _player(same: Same[Algorithm], episodes: int) -> Any:
    """The compiled program, kept. What it gives has leading axes [B, T]."""
    algorithm = same.value
    senders = jnp.arange(algorithm.env.num_agents)

    def play(params: Any, key: jax.Array, codes: jax.Array) -> tuple:
        def policy(observation: Observation, memory: Any, key: jax.Array) -> tuple:
            action, after, decision = algorithm.act(params, observation, memory, key)
            said = decision.messages.content  # [B, N, N, D]

            def instead(content: jax.Array) -> jax.Array:
                """[B, N, N] what each receiver does, for each sender who says `content` [..., N, N, D] instead."""

                def one(sender: jax.Array) -> jax.Array:
                    edit = ReplaceSender(sender, content)
                    return algorithm.act(params, observation, memory, key, edit=edit)[0]

                return jax.vmap(one, out_axes=1)(senders)

            told = jnp.broadcast_to(codes[:, None], (len(codes), *said.shape))
            told = jnp.concatenate([jnp.stack([jnp.zeros_like(said), jnp.roll(said, 1, 0)]), told])
            done = jax.vmap(instead, out_axes=1)(told)  # [B, 2+K, N, N]: compiled once for all that may be said
            return action, after, (done[:, 0], done[:, 1], done[:, 2:])

        memory = algorithm.learner.initial_memory(episodes)
        played, answers, _ = collect(algorithm.env, policy, memory, episodes, key)
        return played, *answers

    return jax.jit(play, compiler_options=QUICK)


def _alive(played: Episodes) -> np.ndarray:
    """[B, T, N] bool: who lives at real steps."""
    return np.asarray(played.alive)[:, :-1] & np.asarray(played.valid)[..., None]


def _pairs(played: Episodes) -> np.ndarray:
    alive = _alive(played)
    return alive[..., :, None] & alive[..., None, :] & np.asarray(others(alive.shape[-1]))


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """[B, T, ...] -> [...] mean over what counts; NaN where nothing does."""
    count = counted.sum((0, 1)).astype(float)
    return (values & counted).sum((0, 1)) / np.where(count > 0, count, np.nan)


def _shares(action: np.ndarray, counted: np.ndarray, choices: int) -> np.ndarray:
    """[B, T, ...] actions -> [..., A] share of each, of what counts."""
    counted = np.broadcast_to(counted, action.shape)
    return np.stack([_mean(action == choice, counted) for choice in range(choices)], -1)
