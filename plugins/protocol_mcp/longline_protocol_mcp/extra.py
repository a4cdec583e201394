"""What must be installed. It is imported by the first request only, and missed when the plugin is chosen."""

from longline.slow_imports import require_installed

require_installed("mcp", "jsonschema", "starlette")
