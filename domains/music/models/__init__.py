"""The generative model of music spectrograms and its networks."""
