"""Longline: a small runtime for agents that carries many plugins."""

from longline.hookspecs import hookimpl

__all__ = ["hookimpl"]
