"""The HTTP parts of core, written against the bare ASGI call."""
