"""Controls: differentiable losses that say what a clip is to be like."""
