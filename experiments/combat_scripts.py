"""Scripted teams that know everything: what may be won of NDQ's maps at all, below which every learner stays.

A script maps the state of a battle to scores of actions, of which each agent takes the best that its mask allows.
Walks are along shortest ways, attacks go together. What a script loses may still be won by a better one: its share of
wins is a lower bound of the best.

    python -m experiments.combat_scripts   # the table: what is won by teams that know less and less
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from experiments.combat_maps import env_of
from experiments.common import markdown_table, percent
from marlcomm.envs.combat import Combat
from marlcomm.envs.combat.battle import MOVES
from marlcomm.envs.combat.types import CombatState
from marlcomm.validation import UsageError, check_count

Script = Callable[[Combat, CombatState], jax.Array]  # -> [N, A] scores
Start = Callable[[CombatState], CombatState]
FAR = 9999
ATTACK, HOLD = 1e4, 1e5  # scores above those of all moves


def win_rate(env: Combat, script: Script, episodes: int, seed: int = 0) -> float:
    """Share of `episodes` that a script wins."""
    return float(outcomes(env, script, episodes, seed)[0].mean())


def outcomes(
    env: Combat, script: Script, episodes: int, seed: int = 0, start: Start | None = None
) -> tuple[jax.Array, CombatState]:
    """[K] bool: which episodes a script wins; and the states [K] in which they stand at the time limit.

    Args:
      env: the battle.
      script: of all agents.
      episodes: K.
      seed: of their starts.
      start: changes the state at the start.
    """

    def episode(key: jax.Array) -> tuple[jax.Array, CombatState]:
        def move(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
            state, now, over = carry
            scores = jnp.where(now.observation.action_mask, script(env, state), -jnp.inf)
            state, later = env.step(state, jnp.argmax(scores, 1).astype(jnp.int32))
            return (state, later, over | later.last()), later.extras["won"] & ~over

        state, now = env.reset(key)
        first = (start(state) if start else state, now, jnp.zeros((), bool))
        (state, *_), won = jax.lax.scan(move, first, None, env.horizon)
        return won.any(), state

    return jax.jit(jax.vmap(episode))(jax.random.split(jax.random.key(seed), episodes))


@functools.cache
def ways(name: str) -> np.ndarray:
    """[W, H, W, H] int32 steps on foot from each cell of a map to each other; `FAR` where there is no way."""
    from marlcomm.envs import make_env

    ground = make_env(name).unwrapped.roster.terrain.open
    steps = np.full((*ground.shape, *ground.shape), FAR, np.int32)
    for x, y in np.argwhere(ground):
        steps[x, y, x, y] = 0
    while True:
        before = steps.copy()
        for axis in (0, 1):
            for shift in (1, -1):
                near = np.roll(before, shift, axis) + 1
                edge: list[slice | int] = [slice(None)] * 4
                edge[axis] = 0 if shift == 1 else -1
                near[tuple(edge)] = FAR
                steps = np.minimum(steps, np.where(ground[:, :, None, None], near, FAR))
        if (steps == before).all():
            return steps


def walk(env: Combat, state: CombatState, x: jax.Array, y: jax.Array) -> jax.Array:
    """[N, 4] scores of moves that lead agents to a point, along shortest ways on foot; units of one kind together."""
    size, agents = np.array(env.roster.terrain.size), env.num_agents
    places = jnp.stack([state.units.x[:agents], state.units.y[:agents]], 1)
    cells = jnp.clip(places.astype(jnp.int32)[:, None] + MOVES.astype(int), 0, size - 1)  # [N, 4, 2]
    goal = jnp.clip(jnp.stack([x, y]).astype(jnp.int32), 0, size - 1)
    steps = jnp.asarray(ways(env.scenario.name))[cells[..., 0], cells[..., 1], goal[0], goal[1]]
    # between two ways of one length it changes, so that nobody steps to and fro
    return jax.random.uniform(jax.random.fold_in(state.key, state.step_count), (4,)) - steps


def toward(x: jax.Array, y: jax.Array) -> jax.Array:
    """[N, 4] how far each move leads along directions (x, y) [N]."""
    return x[:, None] * MOVES[:, 0] + y[:, None] * MOVES[:, 1]


def scores(stop: jax.Array, moves: jax.Array, targets: jax.Array) -> jax.Array:
    """[N, A] from those of stopping [N], of moves [N, 4], and of targets [N, K]."""
    return jnp.concatenate([jnp.full((len(stop), 1), -HOLD), stop[:, None], moves, targets], 1)


def gaps(env: Combat, state: CombatState) -> jax.Array:
    """[N, E] from agents to enemies, center to center; large to the dead."""
    n, units = env.num_agents, state.units
    apart = jnp.hypot(units.x[:n, None] - units.x[n:], units.y[:n, None] - units.y[n:])
    return jnp.where(units.health[n:] > 0, apart, 99.0)


def led_by_the_overlord(env: Combat, state: CombatState) -> jax.Array:
    """Everybody walks to where the overlord hovers, over the enemy, and attacks whoever has least health left."""
    n = env.num_agents
    overlord = env.roster.names.index("overlord")
    moves = walk(env, state, state.units.x[overlord], state.units.y[overlord])
    stop = jnp.where(jnp.arange(n) == overlord, HOLD, -1e3)
    weakest = ATTACK - state.units.health[n:] - 0.01 * np.arange(env.roster.num_enemies)
    return scores(stop, moves, jnp.broadcast_to(weakest, (n, len(weakest))))


def told_late(env: Combat, state: CombatState, at: int, meanwhile: Script | None = None) -> jax.Array:
    """As `led_by_the_overlord`, but only from step `at` on; until then the others do `meanwhile`, or wait."""
    led = led_by_the_overlord(env, state)
    waiting = led.at[:, 1].set(HOLD) if meanwhile is None else meanwhile(env, state)
    return jnp.where(state.step_count < at, waiting, led)


def search_the_ring(env: Combat, state: CombatState) -> jax.Array:
    """Nobody is told anything: all go around the pit one way until they can attack."""
    n, units = env.num_agents, state.units
    wide, high = env.roster.terrain.size
    x, y = units.x[:n] - wide / 2, units.y[:n] - high / 2
    right, up = x >= jnp.abs(y), y >= jnp.abs(x)
    left = -x >= jnp.abs(y)
    along_x = jnp.where(right | (left & ~up), 0.0, jnp.where(up, -1.0, 1.0))
    along_y = jnp.where(right, 1.0, jnp.where(left & ~up, -1.0, 0.0))
    led = led_by_the_overlord(env, state)
    return led.at[:, 2:6].set(toward(along_x, along_y))


HOLD_AT, READY_AT = (
    4.5,
    7.0,
)  # cells from the hydralisk, which hits from 3 on; all go when the last is as near as READY_AT


def strike_together(env: Combat, state: CombatState, hold_at: float = HOLD_AT) -> jax.Array:
    """Banelings wait out of the hydralisk's reach for one another, then all run at it."""
    units, n = state.units, env.num_agents
    x, y = units.x[n] - units.x[:n], units.y[n] - units.y[:n]
    far, alive = jnp.hypot(x, y), units.health[:n] > 0
    go = jnp.all((far < READY_AT) | ~alive) | jnp.any(~alive)
    hold = (far < hold_at) & ~go
    targets = jnp.stack([jnp.where(hold, -ATTACK, ATTACK), jnp.full(n, -ATTACK)], 1)
    return scores(jnp.where(hold, HOLD, -1e3), toward(x, y), targets)


def kite(env: Combat, state: CombatState) -> jax.Array:
    """Stalkers shoot whoever is nearest, and run around the middle of the map while their weapons cool."""
    units, n = state.units, env.num_agents
    apart = gaps(env, state)
    near, far = jnp.argmin(apart, 1), jnp.min(apart, 1)
    flee = (far < 3.5) | ((far < 5.0) & (units.cooldown[:n] > 0.2))
    out_x, out_y = units.x[:n] - 16, units.y[:n] - 16
    wall = jnp.clip((jnp.hypot(out_x, out_y) - 9) / 4, 0, 2)
    (away_x, away_y), (out_x, out_y) = (
        _unit(units.x[:n] - units.x[n:][near], units.y[:n] - units.y[n:][near]), _unit(out_x, out_y)
    )  # fmt: skip
    moves = toward(away_x - out_y - wall * out_x, away_y + out_x - wall * out_y)
    targets = jnp.where(jnp.arange(env.roster.num_enemies) == near[:, None], ATTACK, 0.6 * ATTACK)
    return scores(jnp.full(n, 5e3), moves + jnp.where(flee, 2 * ATTACK, 0.0)[:, None], targets)


def stand(env: Combat, state: CombatState) -> jax.Array:
    """Everybody attacks whoever is nearest, and walks to where no one is in range; healers tend to the weakest."""
    units, n = state.units, env.num_agents
    apart = gaps(env, state)
    near = jnp.argmin(apart, 1)
    moves = toward(units.x[n:][near] - units.x[:n], units.y[n:][near] - units.y[:n])
    missing = env.num_actions - 6 - env.roster.num_enemies
    targets = jnp.pad(ATTACK - apart, ((0, 0), (0, missing)))
    share = units.health[:n] / np.array([kind.health for kind in env.roster.units[:n]])
    weakest = jnp.where(share > 0, ATTACK - 100 * share, 0.0)
    for healer in env.roster.ally.healers:
        targets = targets.at[healer, :n].set(weakest)
    return scores(jnp.full(n, -1e3), moves, targets)


def surround(env: Combat, state: CombatState) -> jax.Array:
    """Whom the one enemy is after attacks it, the others go behind it first: it hits all in front."""
    units, n = state.units, env.num_agents
    x, y = units.x[:n] - units.x[n], units.y[:n] - units.y[n]
    hunted = jnp.where(units.target[n] < 0, jnp.argmin(gaps(env, state)[:, 0]), units.target[n])
    front_x, front_y = _unit(x[hunted], y[hunted])
    behind = x * front_x + y * front_y < 0.0
    side = 0.7 * jnp.where(x * front_y >= y * front_x, 1.0, -1.0)  # each goes round where it is
    moves = toward(side * front_y - front_x, -side * front_x - front_y)
    attacks = (jnp.arange(n) == hunted) | behind | (jnp.hypot(x, y) > 5.0)
    return scores(jnp.full(n, -1e3), moves, jnp.where(attacks, ATTACK, -ATTACK)[:, None])


def focus(env: Combat, state: CombatState) -> jax.Array:
    """As `stand`, but all attack the enemy that is nearest to most of them."""
    n, alone = env.num_agents, stand(env, state)
    common = ATTACK - 10 * gaps(env, state).mean(0) - 0.1 * (state.units.health + state.units.shield)[n:]
    fighters = np.array([kind.heals == 0 for kind in env.roster.units[:n]])[:, None]
    targets = alone[:, 6 : 6 + env.roster.num_enemies]
    return alone.at[:, 6 : 6 + env.roster.num_enemies].set(jnp.where(fighters, common, targets))


def _unit(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    length = jnp.hypot(x, y) + 1e-6
    return x / length, y / length


SCRIPTS: Mapping[str, Script] = {
    "3b_vs_1h1m": strike_together,
    "3s_vs_5z": kite,
    "1o2r_vs_4r": led_by_the_overlord,
    "5z_vs_1ul": surround,  # from where they start, far apart, the ultralisk meets most of them one by one
    "MMM": focus,
    "1o10b_vs_1r": led_by_the_overlord,
}

# SMAC's masks forbid moves over the north and east edges, and those over the two others only from places that no unit
# gets to. The overlord meets the east edge after 11 steps, or never; then the north edge after 10 to 13, or never.
HALF, WHOLE = 11, 24
LESS: Mapping[tuple[str, str], Script] = {
    ("1o2r_vs_4r", "everything, from the start"): led_by_the_overlord,
    ("1o2r_vs_4r", f"the corner from step {HALF} on, and searches until then"): functools.partial(
        told_late, at=HALF, meanwhile=search_the_ring
    ),
    ("1o2r_vs_4r", f"the corner from step {WHOLE} on, and searches until then"): functools.partial(
        told_late, at=WHOLE, meanwhile=search_the_ring
    ),
    ("1o2r_vs_4r", "nothing of the corner: searches all round the ring"): search_the_ring,
    ("1o10b_vs_1r", "everything, from the start"): led_by_the_overlord,
    ("1o10b_vs_1r", f"the corner from step {HALF} on, and waits until then"): functools.partial(told_late, at=HALF),
    ("1o10b_vs_1r", f"the corner from step {WHOLE} on, and waits until then"): functools.partial(told_late, at=WHOLE),
    ("3b_vs_1h1m", "everything: all wait for the last"): strike_together,
    ("3b_vs_1h1m", "where the enemy is: nobody waits"): functools.partial(strike_together, hold_at=0.0),
    ("5z_vs_1ul", "everything: whom it is not after goes behind it"): surround,
    ("5z_vs_1ul", "where the enemy is: all attack"): stand,
    ("3s_vs_5z", "everything: stalkers run from zealots while their weapons cool"): kite,
    ("MMM", "everything: all attack one enemy after another"): focus,
}


def main() -> None:
    """Prints what teams win that know less and less."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=2000, help="of each script (default: %(default)s)")
    episodes = parser.parse_args().episodes
    try:
        check_count("episodes", episodes)
    except UsageError as error:
        parser.error(str(error))
    rows = []
    for (name, knows), script in LESS.items():
        print(f"{name}: {knows}", file=sys.stderr)
        rows.append([name, knows, percent(win_rate(env_of(name), script, episodes))])  # pyright: ignore[reportArgumentType]
    print(markdown_table(("map", "what the team knows", "won, in percent"), rows))


if __name__ == "__main__":
    main()
