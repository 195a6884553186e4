"""Particle tasks: discs that move, collide and speak on a plane, and hand-written controllers for them."""

from marlcomm.envs.particle.navigation import Navigation
from marlcomm.envs.particle.predator_prey import PredatorPrey
from marlcomm.envs.particle.speech import Reference, SpeakerListener

__all__ = ["Navigation", "PredatorPrey", "Reference", "SpeakerListener"]
