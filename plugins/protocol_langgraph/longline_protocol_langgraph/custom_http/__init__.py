"""`http` of a langgraph.json: an app of the project's own, a prefix, CORS, which headers reach graphs, what is off."""
