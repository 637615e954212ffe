"""Evaluators for the interpreter, a file a dialect; importing a file registers them."""
