"""NVIDIA GPUs: machine descriptions, a cost model, a generic path to PTX, and an emulator that runs PTX on a CPU."""
