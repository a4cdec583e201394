"""What Longline talks about: frozen values without behaviour, I/O or wire names."""
