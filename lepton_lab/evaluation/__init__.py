"""How good a trained network is, on rows that it has never seen."""
