"""Training: drivers that play, the loop around them, what it records, and what can be done with a saved run."""

from marlcomm.training.checkpoint import CheckpointError
from marlcomm.training.drivers import CompiledDriver, Driver, Played, Player, driver_of
from marlcomm.training.evaluate import assess, evaluate
from marlcomm.training.host_driver import HostDriver
from marlcomm.training.loop import TrainResult, train
from marlcomm.training.policy import Policy
from marlcomm.training.population import Population, make_population
from marlcomm.training.record import RunFolderError
from marlcomm.training.rgmcomm_stages import PipelineResult, fit_labels, train_pipeline
from marlcomm.training.saved import SavedRun, load, load_run

__all__ = [
    "CheckpointError",
    "CompiledDriver",
    "Driver",
    "HostDriver",
    "PipelineResult",
    "Played",
    "Player",
    "Policy",
    "Population",
    "RunFolderError",
    "SavedRun",
    "TrainResult",
    "assess",
    "driver_of",
    "evaluate",
    "fit_labels",
    "load",
    "load_run",
    "make_population",
    "train",
    "train_pipeline",
]
