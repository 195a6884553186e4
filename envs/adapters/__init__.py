"""Tasks of other libraries as ours: jumanji's cooperative ones, and those of JaxMARL (an optional extra)."""

from marlcomm.envs.adapters.jaxmarl import JaxMARLAdapter
from marlcomm.envs.adapters.jumanji import JumanjiAdapter

__all__ = ["JaxMARLAdapter", "JumanjiAdapter"]
