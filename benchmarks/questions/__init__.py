"""The questions, one module each, with a function ``ask(run) -> Answer``."""
