"""The runtime: greenlets that feed observations to the core and perform what it decides."""
