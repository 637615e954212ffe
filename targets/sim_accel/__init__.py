"""The simulated accelerator: its instruction set, its simulator, and the compiler for it."""
