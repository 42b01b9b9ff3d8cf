"""The parts of the sampler `neural`: what it learns of other tasks, and what it makes of it."""
