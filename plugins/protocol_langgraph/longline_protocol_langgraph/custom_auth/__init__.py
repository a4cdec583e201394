"""`auth` of a langgraph.json: a `langgraph_sdk.Auth` object says who callers are and what they may do."""
