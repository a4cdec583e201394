"""Graphs: where they come from, how they are loaded once, and how a run gets its own bound copy."""
