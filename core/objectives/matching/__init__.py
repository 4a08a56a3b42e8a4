"""Methods that train a second network beside the generator: score-difference distillation."""
