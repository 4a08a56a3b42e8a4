"""A synthetic singer: melodies with random lyrics, sung by Sinsy."""
