"""Who is calling, what they may do, and how their secrets are kept."""
