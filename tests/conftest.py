"""Settings every test shares: one thread, no display, and the same examples in every run."""

import os

import hypothesis
import torch

os.environ.setdefault("MPLBACKEND", "Agg")
torch.set_num_threads(1)
hypothesis.settings.register_profile("oneleap", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("oneleap")
