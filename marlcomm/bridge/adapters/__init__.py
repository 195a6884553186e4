"""Simulators of other packages, and of your own, as `marlcomm.bridge.simulator` has them. Each needs numpy alone."""
