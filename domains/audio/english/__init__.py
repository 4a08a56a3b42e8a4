"""English words to phonemes: a dictionary, rules, and a model of unknown words."""
