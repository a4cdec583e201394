"""The hosts: what the `longline` command starts. They choose plugins, read the environment and open the socket."""
