"""Episodes as they are being played, in NumPy: a row each, written step by step."""

from __future__ import annotations

import numpy as np

from marlcomm.bridge.block import SharedBlock
from marlcomm.bridge.simulator import SimulatorSpec


class Rows:
    """B episodes, time first. What was not played is padding: zeros, with everything allowed and everybody alive.

    Attributes:
      seen: [T+1, B, N, O+A+1] float32: views, masks and who is alive side by side, so that a step is one transfer.
      state: [T+1, B, S] float32.
      action, reward, terminal, valid: as in `Episodes`, but [T, B, ...].
      won: [B].
    """

    def __init__(self, spec: SimulatorSpec, batch: int) -> None:
        t, n, a = spec.horizon, spec.num_agents, spec.num_actions
        self.spec = spec
        self.seen = np.empty((t + 1, batch, n, spec.observation_size + a + 1), np.float32)
        self.state = np.empty((t + 1, batch, spec.state_size), np.float32)
        shape, kind = ((n, a), np.float32) if spec.continuous else ((n,), np.int32)
        self.action = np.empty((t, batch, *shape), kind)
        self.reward = np.empty((t, batch, n), np.float32)
        self.terminal, self.valid = np.empty((t, batch), bool), np.empty((t, batch), bool)
        self.won = np.empty(batch, bool)
        self.clear(np.arange(batch))

    def clear(self, rows: np.ndarray) -> None:
        """Makes rows padding."""
        self.seen[:, rows] = 0.0
        self.seen[:, rows, :, self.spec.observation_size :] = 1.0
        for field in (self.state, self.action, self.reward, self.terminal, self.valid):
            field[:, rows] = 0
        self.won[rows] = False

    def observe(self, time: int, rows: np.ndarray, block: SharedBlock, slots: np.ndarray) -> None:
        """Takes what slots observe before step `time`."""
        o, seen = self.spec.observation_size, self.seen[time]
        seen[rows, :, :o] = block.agents_view[slots]
        seen[rows, :, o:-1] = block.action_mask[slots]
        seen[rows, :, -1] = block.alive[slots]
        self.state[time, rows] = block.global_state[slots]

    def record(self, time: int, rows: np.ndarray, block: SharedBlock, slots: np.ndarray) -> np.ndarray:
        """Takes what step `time` led to in slots; gives [len(rows)] whether the simulator says that it was the last."""
        answer = block.answer[slots]
        terminal = answer["terminated"] != 0
        self.action[time, rows] = block.action[slots]
        self.reward[time, rows] = block.reward[slots]
        self.terminal[time, rows], self.valid[time, rows] = terminal, True
        self.won[rows] = answer["won"] != 0
        self.observe(time + 1, rows, block, slots)
        return terminal | (answer["truncated"] != 0)

    def fields(self) -> dict[str, np.ndarray]:
        """The fields of `Episodes` by name, episodes first."""
        o, seen = self.spec.observation_size, np.moveaxis(self.seen, 0, 1)
        whole = {name: np.moveaxis(getattr(self, name), 0, 1) for name in ("action", "reward", "terminal", "valid")}
        return {
            "agents_view": seen[..., :o],
            "action_mask": seen[..., o:-1] > 0,
            "global_state": np.moveaxis(self.state, 0, 1),
            "alive": seen[..., -1] > 0,
            **whole,
            "won": self.won,
        }
