"""Killed commands, broken files, strangers and crowds: what must hold whatever happens."""
