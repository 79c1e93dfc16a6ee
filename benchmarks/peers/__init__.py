"""Other tools on the same labels and pictures; each makes an environment of its own, and none is a dependency."""
