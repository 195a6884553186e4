"""Jumanji's cooperative tasks by name. The heavy modules load only when one is made."""

from __future__ import annotations

from marlcomm.envs.adapters.jumanji import JumanjiAdapter
from marlcomm.envs.options import check_count
from marlcomm.envs.quiet_imports import without_notebook_magic


def level_based_foraging(
    grid_size: int = 8,
    num_agents: int = 2,
    num_food: int = 2,
    sight: int | None = None,
    max_agent_level: int = 2,
    force_coop: bool = True,
    penalty: float = 0.0,
    share_reward: bool = True,
    time_limit: int = 100,
) -> JumanjiAdapter:
    """Level-based foraging: agents of different strength must stand around food together to eat it.

    Source: Papoudakis et al. (NeurIPS 2021), as in `jumanji.environments.LevelBasedForaging`. `won` is true
    once all food is eaten; eating all is terminal, time is a truncation. The best return is 1 (with `penalty`
    0).

    Args:
      grid_size: cells along each side, at least 5.
      num_agents: N; num_food: pieces of food.
      sight: cells that an agent sees in each direction; None sees the whole grid.
      max_agent_level: levels are uniform in 1 .. this.
      force_coop: every food needs all agents.
      penalty: taken from agents that try a food that is too heavy.
      share_reward: every agent gets the sum of rewards (at most 1 an episode) instead of its own part.
      time_limit: steps.

    Raises:
      ValueError: a number is out of its range.
    """
    with without_notebook_magic():
        from jumanji.environments.routing.lbf.env import LevelBasedForaging
        from jumanji.environments.routing.lbf.generator import RandomGenerator

    check_count("lbf", "num_agents", num_agents)
    check_count("lbf", "num_food", num_food)
    if (check_count("lbf", "grid_size", grid_size, at_least=5) - 2) ** 2 <= 5 * num_food + num_agents:
        raise ValueError(
            f"lbf: grid_size={grid_size} is too small for num_food={num_food} and num_agents={num_agents}: "
            "(grid_size - 2) ** 2 must be above 5 * num_food + num_agents, so that food never touches."
        )
    generator = RandomGenerator(
        grid_size=grid_size,
        num_agents=num_agents,
        num_food=num_food,
        fov=grid_size if sight is None else check_count("lbf", "sight", sight),
        max_agent_level=check_count("lbf", "max_agent_level", max_agent_level, at_least=2),
        force_coop=force_coop,
    )
    env = LevelBasedForaging(generator, time_limit=check_count("lbf", "time_limit", time_limit), penalty=penalty)
    return JumanjiAdapter(
        env,
        won=lambda step: step.extras["percent_eaten"] > 99.9,
        share_reward=share_reward,
        marks_timeouts=True,
        action_names=("noop", "up", "down", "left", "right", "load"),
    )


def robot_warehouse(
    shelf_rows: int = 1,
    shelf_columns: int = 3,
    column_height: int = 8,
    num_agents: int = 2,
    sensor_range: int = 1,
    request_queue_size: int | None = None,
    time_limit: int = 500,
) -> JumanjiAdapter:
    """Robot warehouse: robots fetch requested shelves. Each delivery pays everyone 1; a collision ends all.

    Source: Papoudakis et al. (NeurIPS 2021), as in `jumanji.environments.RobotWarehouse`. By default the
    layout "tiny-2ag". The last step at the time limit counts as a truncation (jumanji gives it discount 0),
    also if a collision happens in it.

    Args:
      shelf_rows: clusters of shelves from top to bottom; shelf_columns: from left to right, an odd number.
      column_height: shelves of a cluster from top to bottom.
      num_agents: N; sensor_range: cells that a robot sees in each direction.
      request_queue_size: shelves that are asked for at a time; None asks for as many as there are robots.
      time_limit: steps.

    Raises:
      ValueError: a number is out of its range.
    """
    with without_notebook_magic():
        from jumanji.environments.routing.robot_warehouse.env import RobotWarehouse
        from jumanji.environments.routing.robot_warehouse.generator import RandomGenerator

    # jumanji removes the middle column for the queue at the goals, so a single one would leave no shelf.
    if check_count("rware", "shelf_columns", shelf_columns, at_least=3) % 2 == 0:
        raise ValueError(f"rware: shelf_columns={shelf_columns} must be odd, such as {shelf_columns + 1}.")
    queue = num_agents if request_queue_size is None else request_queue_size
    generator = RandomGenerator(
        shelf_rows=check_count("rware", "shelf_rows", shelf_rows),
        shelf_columns=shelf_columns,
        column_height=check_count("rware", "column_height", column_height),
        num_agents=check_count("rware", "num_agents", num_agents),
        sensor_range=check_count("rware", "sensor_range", sensor_range),
        request_queue_size=check_count("rware", "request_queue_size", queue),
    )
    env = RobotWarehouse(generator, time_limit=check_count("rware", "time_limit", time_limit))
    return JumanjiAdapter(env, action_names=("noop", "forward", "left", "right", "toggle load"))
