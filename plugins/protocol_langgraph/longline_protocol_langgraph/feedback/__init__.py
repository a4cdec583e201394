"""What people think of runs: links that anybody may use who has them, and what came in through them."""
