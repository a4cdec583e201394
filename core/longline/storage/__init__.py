"""What a storage must do: one small protocol per noun."""
