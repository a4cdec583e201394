"""How run events travel: written once, fanned out here, announced elsewhere."""
