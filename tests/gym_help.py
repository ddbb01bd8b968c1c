"""What the tests of environments share."""

import gymnasium

from rlcore import mdp
from rlcore.mdp import MDP


def toy_text(name: str, **settings) -> MDP:
    """An environment of Gymnasium's by the newest of its ids that is installed."""
    spec = max((spec for spec in gymnasium.registry.values() if spec.name == name), key=lambda spec: spec.version)
    return mdp.from_env(gymnasium.make(spec.id, **settings))
