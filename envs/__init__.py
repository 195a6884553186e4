"""Cooperative multi-agent tasks in JAX. `make_env(name)` makes one, `check_env` tests a new one."""

from marlcomm.envs.adapters import JaxMARLAdapter, JumanjiAdapter
from marlcomm.envs.api import Environment
from marlcomm.envs.checks import EnvironmentContractError, check_env
from marlcomm.envs.combat import Combat, Group, Scenario, Unit, register_scenario, register_unit
from marlcomm.envs.particle import Navigation, PredatorPrey, Reference, SpeakerListener
from marlcomm.envs.registry import env_names, env_options, make_env, register_env
from marlcomm.envs.render.frames import animate_episode, draw_frame
from marlcomm.envs.small.find_goal import FindGoal
from marlcomm.envs.small.hallway import Hallway
from marlcomm.envs.small.matrix_game import MatrixGame
from marlcomm.envs.small.maze import Maze
from marlcomm.envs.small.red_blue_doors import RedBlueDoors
from marlcomm.envs.small.search import Search
from marlcomm.envs.small.sensor import Sensor
from marlcomm.envs.small.sensor_grid import SensorGrid
from marlcomm.envs.small.switch_riddle import SwitchRiddle
from marlcomm.envs.small.traffic_junction import TrafficJunction
from marlcomm.envs.small.whisper import Whisper
from marlcomm.envs.steps import Observation, StepType, TimeStep, restart, timestep
from marlcomm.envs.wrappers import Centralized, FullObservation, TimeLimit, Wrapper

__all__ = [
    "Centralized",
    "Combat",
    "Environment",
    "EnvironmentContractError",
    "FindGoal",
    "FullObservation",
    "Group",
    "Hallway",
    "JaxMARLAdapter",
    "JumanjiAdapter",
    "MatrixGame",
    "Maze",
    "Navigation",
    "Observation",
    "PredatorPrey",
    "RedBlueDoors",
    "Reference",
    "Scenario",
    "Search",
    "Sensor",
    "SensorGrid",
    "SpeakerListener",
    "StepType",
    "SwitchRiddle",
    "TimeLimit",
    "TimeStep",
    "TrafficJunction",
    "Unit",
    "Whisper",
    "Wrapper",
    "animate_episode",
    "check_env",
    "draw_frame",
    "env_names",
    "env_options",
    "make_env",
    "register_env",
    "register_scenario",
    "register_unit",
    "restart",
    "timestep",
]
