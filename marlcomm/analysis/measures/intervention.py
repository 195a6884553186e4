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
from marlcomm.analysis.measures.recorded import AnyTeam, chosen, play_and_keep, team_of
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
    key = jax.random.PRNGKey(check_seed("seed", seed))
    played = play_and_keep(algorithm, params, key, episodes)[0].episodes
    content = jnp.moveaxis(jnp.nan_to_num(jnp.asarray(codes.content, jnp.float32)), 2, 0)  # [K, N, N, D]
    played, *answers = jax.device_get((played, *compute(_asker(Same(algorithm)), params, key, played, content)))
    muted, swapped, forced, done = (chosen(each, algorithm.env.continuous) for each in (*answers, played.action))
    pairs = np.asarray(pairs_at_work(played))  # [B, T, N, N]
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
    """What each receiver would have done at each step of episodes, had each sender said something else.

    Args:
      algorithm, params: who played.
      key: of the episodes.
      episodes: [B, ...] greedy ones.
      told: [K, N, N, D] what else may be said, sender first.

    Returns:
      actions [B, T, N, N] where the sender is not heard, the same where what it said in another episode is heard, and
      [B, T, K, N, N] where each of `told` is; sender first, and A last if continuous.
    """
    senders = jnp.arange(algorithm.env.num_agents)

    def ask(memory: AgentMemory, now: tuple[Observation, jax.Array, jax.Array]) -> tuple[AgentMemory, jax.Array]:
        observation, action, key = now
        _, after, decision = algorithm.act(params, observation, memory, key)
        said = decision.messages.content  # [B, N, N, D]

        def instead(content: jax.Array) -> jax.Array:
            """[B, N, N] what each receiver does, for each sender who says `content` [..., N, N, D] instead."""

            def one(sender: jax.Array) -> jax.Array:
                return algorithm.act(params, observation, memory, key, edit=ReplaceSender(sender, content))[0]

            return jax.vmap(one, out_axes=1)(senders)

        every = jnp.broadcast_to(told[:, None], (len(told), *said.shape))
        every = jnp.concatenate([jnp.stack([jnp.zeros_like(said), jnp.roll(said, 1, 0)]), every])
        done = jax.vmap(instead, out_axes=1)(every)  # [B, 2+K, N, N]: compiled once for all that may be said
        return after._replace(last_action=action), done

    batch, steps = episodes.valid.shape
    seen = jax.tree.map(lambda x: x[:, :steps], observations(episodes))
    time_first = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), (seen, episodes.action))
    memory = algorithm.learner.initial_memory(batch)
    _, done = jax.lax.scan(ask, memory, (*time_first, episode_keys(key, steps)[1]))
    done = jnp.moveaxis(done, 0, 1)
    return done[:, :, 0], done[:, :, 1], done[:, :, 2:]


def _alive(played: Episodes) -> np.ndarray:
    """[B, T, N] bool: who lives at real steps."""
    return np.asarray(played.alive)[:, :-1] & np.asarray(played.valid)[..., None]


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """[B, T, ...] -> [...] mean over what counts; NaN where nothing does."""
    count = counted.sum((0, 1)).astype(float)
    return (values & counted).sum((0, 1)) / np.where(count > 0, count, np.nan)


def _shares(action: np.ndarray, counted: np.ndarray, choices: int) -> np.ndarray:
    """[B, T, ...] actions -> [..., A] share of each, of what counts."""
    counted = np.broadcast_to(counted, action.shape)
    return np.stack([_mean(action == choice, counted) for choice in range(choices)], -1)
