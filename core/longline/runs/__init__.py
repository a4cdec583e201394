"""Runs at work: admission, scheduling, execution, cancellation."""
