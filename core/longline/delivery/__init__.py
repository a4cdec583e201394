"""Calls to other servers that are stored first and made after that, at least once: what every plugin that tells of
something needs, but for the HTTP client."""
