"""Observations, masks, states and rewards of SMAC's wrapper, unit by unit in numpy: an independent account of them."""

from __future__ import annotations

import math

import numpy as np


class Wrapper:
    """What the wrapper makes of one moment. `seen` holds arrays over all units, own first; `options` its arguments."""

    def __init__(self, env, seen):
        self.env, self.seen, self.options, self.roster = env, seen, env.options, env.roster
        self.agents, self.enemies = range(env.num_agents), range(env.roster.num_enemies)
        self.half = env.options.move_amount / 2

    def place(self, unit):
        return float(self.seen["x"][unit]), float(self.seen["y"][unit])

    def distance(self, one, other):
        return math.hypot(*(b - a for a, b in zip(self.place(one), self.place(other), strict=True)))

    def alive(self, unit):
        return self.seen["health"][unit] > 0

    def is_open(self, x, y, outside):
        width, height = self.roster.terrain.open.shape
        return bool(self.roster.terrain.open[x, y]) if 0 <= x < width and 0 <= y < height else outside

    def available(self, agent):
        actions = [0] * self.env.num_actions
        if not self.alive(agent):
            actions[0] = 1
            return actions
        actions[1] = 1
        x, y = self.place(agent)
        for move, (right, up) in enumerate(((0, 1), (0, -1), (1, 0), (-1, 0))):
            cell = int(x + right * self.half), int(y + up * self.half)
            actions[2 + move] = int(self.is_open(*cell, False))
        if self.roster.units[agent].heals:
            targets = [(k, k) for k in self.agents if not self.roster.units[k].heals]
        else:
            targets = [(k, self.env.num_agents + k) for k in self.enemies]
        for k, unit in targets:
            if self.alive(unit) and self.distance(agent, unit) <= self.options.shoot_range:
                actions[6 + k] = 1
        return actions

    def health(self, unit, shields):
        kind = self.roster.units[unit]
        found = [self.seen["health"][unit] / kind.health]
        scale = kind.shield_scale or kind.shield or 1.0
        return [*found, self.seen["shield"][unit] / scale] if shields else found

    def code(self, unit):
        own = unit < self.env.num_agents
        types = self.roster.ally_types if own else self.roster.enemy_types
        code = [0.0] * self.roster.num_codes
        if code:
            code[types.index(self.roster.names[unit])] = 1.0
        return code

    def observation(self, agent):
        options, sight = self.options, self.options.sight_range
        time = [self.seen["step_count"] / self.env.horizon] if options.obs_timestep_number else []
        if not self.alive(agent):  # to whom the wrapper still tells the time
            return np.array([0.0] * (self.env.observation_size - len(time)) + time)
        shields = [any(self.roster.units[u].shield for u in part) for part in (self.agents, self.all_enemies())]
        x, y = self.place(agent)
        row = [*self.available(agent)[2:6]]
        step = int(2 * self.half)
        around = [(0, 2), (0, -2), (2, 0), (-2, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)]
        cells = [(int(x) + step * right, int(y) + step * up) for right, up in around]
        if options.obs_pathing_grid:
            row += [float(self.is_open(*cell, True)) for cell in cells]
        if options.obs_terrain_height:
            for cell in [*cells, (int(x), int(y))]:
                inside = 0 <= cell[0] < 32 and 0 <= cell[1] < 32
                row.append(float(self.roster.terrain.height[cell]) if inside else 1.0)
        for k, unit in zip(self.enemies, self.all_enemies(), strict=True):
            entry = [self.available(agent)[6 + k], *self.relative(agent, unit)]
            entry += self.health(unit, shields[1]) if options.obs_enemy_health else []
            entry += self.code(unit)
            row += entry if self.visible(agent, unit, sight) else [0.0] * len(entry)
        for unit in self.agents:
            if unit == agent:
                continue
            entry = [1.0, *self.relative(agent, unit)]
            entry += self.health(unit, shields[0]) if options.obs_all_health else []
            entry += self.code(unit)
            entry += self.last(unit) if options.obs_last_action else []
            row += entry if self.visible(agent, unit, sight) else [0.0] * len(entry)
        row += self.health(agent, shields[0]) if options.obs_own_health else []
        row += [x / 32, y / 32] if options.obs_own_pos else []
        row += self.code(agent)
        return np.array(row + time, float)

    def all_enemies(self):
        return range(self.env.num_agents, len(self.roster.units))

    def visible(self, agent, unit, sight):
        return self.alive(unit) and self.distance(agent, unit) < sight

    def relative(self, agent, unit):
        (x, y), (other_x, other_y), sight = self.place(agent), self.place(unit), self.options.sight_range
        return [self.distance(agent, unit) / sight, (other_x - x) / sight, (other_y - y) / sight]

    def last(self, agent):
        return [float(self.seen["last_action"][agent] == n) for n in range(self.env.num_actions)]

    def state(self):
        if self.options.obs_instead_of_state:
            return np.concatenate([self.observation(agent) for agent in self.agents])
        row = []
        for part, own in ((self.agents, True), (self.all_enemies(), False)):
            shields = any(self.roster.units[u].shield for u in part)
            for unit in part:
                kind = self.roster.units[unit]
                health, *shield = self.health(unit, shields)
                x, y = self.place(unit)
                busy = self.seen["energy"][unit] if kind.heals else self.seen["cooldown"][unit]
                entry = [health, *([busy / kind.cooldown_scale] if own else []), (x - 16) / 32, (y - 16) / 32, *shield]
                entry += self.code(unit)
                row += entry if self.alive(unit) else [0.0] * len(entry)
        if self.options.state_last_action:
            row += [bit for agent in self.agents for bit in self.last(agent)]
        if self.options.state_timestep_number:
            row.append(self.seen["step_count"] / self.env.horizon)
        return np.array(row, float)

    def outcome(self):
        """1 won, -1 lost, 0 nobody is left, None goes on."""
        rule = self.roster.scenario.medics_alone
        allies = [u for u in self.agents if self.alive(u)]
        enemies = [u for u in self.all_enemies() if self.alive(u)]
        fighters = [[u for u in side if not self.roster.units[u].heals] for side in (allies, enemies)]
        only_medics = bool(enemies) and not fighters[1]
        if rule == "win" and only_medics:
            return 1
        if (not allies and enemies) or (rule == "lose" and not fighters[0]) or (rule == "win" and not allies):
            return -1
        if (allies and not enemies) or (rule == "lose" and only_medics):
            return 1
        return 0 if not allies and not enemies else None


def reward(env, before, now, outcome):
    """Of one step."""
    options, allies = env.options, env.num_agents
    scale = env.max_reward / options.reward_scale_rate if options.reward_scale else 1.0
    if options.reward_sparse:
        return {1: 1.0, -1: -1.0}.get(outcome, 0.0) / scale
    sums = [0.0, 0.0]
    for unit in range(len(env.roster.units)):
        had = before["health"][unit] + before["shield"][unit]
        if before["health"][unit] <= 0:
            continue
        if now["health"][unit] > 0:
            sums[unit >= allies] += had - now["health"][unit] - now["shield"][unit]
        else:
            sums[unit >= allies] += had + options.reward_death_value
    if not options.reward_only_positive:
        paid = sums[1] - options.reward_negative_scale * sums[0]
    else:
        paid = abs(sums[1]) if options.reward_abs else max(sums[1], 0.0)
    paid += {1: options.reward_win, -1: options.reward_defeat}.get(outcome, 0.0)
    return paid / scale
