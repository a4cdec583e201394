"""Tools: named functions that agents may call, whatever face they are called through."""
