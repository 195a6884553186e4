"""What is trained beside JaxMARL: the same work by its scripts and by us, and what is found of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

STEPS, ENVS, HIDDEN, BATCH = 26, 8, 64, 32
SPREAD = {
    "num_agents": 3, "reward": "farama", "num_landmark_neighbors": None, "num_agent_neighbors": None,
    "integration": "farama",
}  # fmt: skip
TINY = {"hidden": 8, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 8}
THEIR_TINY = {"HIDDEN_SIZE": 8, "NUM_ENVS": 2, "BUFFER_BATCH_SIZE": 2, "BUFFER_SIZE": 8}


@dataclass(frozen=True)
class Case:
    """An algorithm on one task, by both.

    Attributes:
      algorithm: our name.
      ours: our settings.
      task_options: of `navigation`.
      script: JaxMARL's, in its folder of baselines; empty where it has none.
      theirs: settings of that script, beside those in its own files.
      until_learning: training steps of the script in which its replay fills and the first gradient step is taken.
      note: in what the two differ.
    """

    algorithm: str
    ours: Mapping[str, Any]
    task_options: Mapping[str, Any]
    script: str = ""
    theirs: Mapping[str, Any] = field(default_factory=dict)
    until_learning: int = 1
    note: str = ""


CASES = {
    "qmix": Case(
        "qmix",
        {"hidden": HIDDEN, "num_envs": ENVS, "batch_episodes": BATCH, "replay_episodes": 5000, "hypernet_layers": 2,
         "mixer.hypernet_hidden": 128, "updates_per_step": 1},
        {**SPREAD, "steps": STEPS},
        "QLearning/qmix_rnn.py",
        {"NUM_ENVS": ENVS, "NUM_STEPS": STEPS, "HIDDEN_SIZE": HIDDEN, "BUFFER_SIZE": 5000, "BUFFER_BATCH_SIZE": BATCH,
         "NUM_EPOCHS": 1, "LEARNING_STARTS": 0, "TEST_DURING_TRAINING": False},
        until_learning=BATCH + 1,
        note="recurrent QMIX, one update a collection of 8 episodes of 26 steps, batches of 32 episodes, hidden 64; "
        "JaxMARL's views have 18 numbers and its states 54, with what nobody says, ours 14 and 18",
    ),
    "mappo": Case(
        "mappo",
        {"hidden": 128, "num_envs": 80, "epochs": 4},
        {**SPREAD, "steps": STEPS},
        "MAPPO/mappo_rnn_mpe.py",
        {},
        note="about 2,050 steps a collection, each learned from four times: by JaxMARL in 16 gradient steps on "
        "quarters with a recurrent critic, by us in 4 on all with a critic that reads the agents' memory",
    ),
    "maddpg": Case(
        "maddpg",
        {},
        {**SPREAD, "steps": STEPS},
        note="our default settings; JaxMARL has no such script, so beside ours of before, if given",
    ),
}  # fmt: skip


def tiny(case: Case) -> Case:
    """The same in sizes that only show that it runs."""
    import marlcomm as mc

    known = mc.algorithm_settings(case.algorithm)
    extra = {"updates_per_step": 1, "batch_steps": 8, "replay_steps": 64, "update_interval": 16}
    sizes = {name: value for name, value in {**TINY, **extra}.items() if name in known}
    theirs = dict(case.theirs)
    if case.script.startswith("QLearning"):
        theirs |= {**THEIR_TINY, "NUM_STEPS": 4, "MIXER_HYPERNET_HIDDEN_DIM": 8}
    elif case.script:
        theirs |= {"NUM_ENVS": 2, "NUM_STEPS": 4, "FC_DIM_SIZE": 8, "GRU_HIDDEN_DIM": 8, "NUM_MINIBATCHES": 2}
    ours = {**case.ours, **sizes}
    until = THEIR_TINY["BUFFER_BATCH_SIZE"] + 1 if case.until_learning > 1 else 1
    return replace(case, ours=ours, theirs=theirs, task_options={**case.task_options, "steps": 4}, until_learning=until)


@dataclass(frozen=True)
class Measured:
    """One library's training; speeds are of all members together, one entry a turn."""

    library: str
    members: int
    compile_seconds: list[float]
    env_steps_per_second: list[float]
    updates_per_second: list[float]
