"""The wire's request bodies: names and types as clients send them, and how they become requests to the services."""
