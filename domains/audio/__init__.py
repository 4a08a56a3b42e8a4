"""Sound: the contract of a log-mel spectrogram, files, pitch, and the vocoder that goes back."""
