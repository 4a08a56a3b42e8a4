"""A voice from recordings: reading, training, and a page that compares."""
