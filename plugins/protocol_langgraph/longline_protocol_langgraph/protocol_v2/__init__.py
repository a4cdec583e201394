"""The thread-centric streaming protocol: commands in, numbered events out, over server-sent events or a WebSocket."""
