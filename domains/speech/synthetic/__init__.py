"""Speech of other synthesizers as training data: sentences, teachers, and the files they fill."""
