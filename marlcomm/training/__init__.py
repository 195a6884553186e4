"""Training: compiled chunks, the host's loop around them, what it records, and what can be done with a saved run."""

from marlcomm.training.checkpoint import CheckpointError
from marlcomm.training.evaluate import assess, evaluate
from marlcomm.training.loop import TrainResult, train
from marlcomm.training.policy import Policy
from marlcomm.training.population import Population, make_population
from marlcomm.training.record import RunFolderError
from marlcomm.training.rgmcomm_stages import PipelineResult, fit_labels, train_pipeline
from marlcomm.training.saved import SavedRun, load, load_run

__all__ = [
    "CheckpointError",
    "PipelineResult",
    "Policy",
    "Population",
    "RunFolderError",
    "SavedRun",
    "TrainResult",
    "assess",
    "evaluate",
    "fit_labels",
    "load",
    "load_run",
    "make_population",
    "train",
    "train_pipeline",
]
