"""How quick it is, and how much memory it takes, side by side with something bare in one run."""
