"""Tasks: cooperative, discrete, in JAX. `make_env(name)` makes one, `check_env` tests a new one."""

from marlcomm.envs.adapters import JaxMARLAdapter, JumanjiAdapter
from marlcomm.envs.api import Environment
from marlcomm.envs.checks import EnvironmentContractError, check_env
from marlcomm.envs.hallway import Hallway
from marlcomm.envs.matrix_game import MatrixGame
from marlcomm.envs.maze import Maze
from marlcomm.envs.particle import Navigation, PredatorPrey, Reference, SpeakerListener
from marlcomm.envs.registry import env_names, env_options, make_env, register_env
from marlcomm.envs.rendering import animate_episode, draw_frame
from marlcomm.envs.search import Search
from marlcomm.envs.sensor import Sensor
from marlcomm.envs.sensor_grid import SensorGrid
from marlcomm.envs.steps import Observation, StepType, TimeStep, restart, timestep
from marlcomm.envs.switch_riddle import SwitchRiddle
from marlcomm.envs.traffic_junction import TrafficJunction
from marlcomm.envs.whisper import Whisper
from marlcomm.envs.wrappers import Centralized, FullObservation, TimeLimit, Wrapper

__all__ = [
    "Centralized",
    "Environment",
    "EnvironmentContractError",
    "FullObservation",
    "Hallway",
    "JaxMARLAdapter",
    "JumanjiAdapter",
    "MatrixGame",
    "Maze",
    "Navigation",
    "Observation",
    "PredatorPrey",
    "Reference",
    "Search",
    "Sensor",
    "SensorGrid",
    "SpeakerListener",
    "StepType",
    "SwitchRiddle",
    "TimeLimit",
    "TimeStep",
    "TrafficJunction",
    "Whisper",
    "Wrapper",
    "animate_episode",
    "check_env",
    "draw_frame",
    "env_names",
    "env_options",
    "make_env",
    "register_env",
    "restart",
    "timestep",
]
