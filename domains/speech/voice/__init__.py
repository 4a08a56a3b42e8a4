"""A voice: front end, acoustic model and vocoder in one object, and the folders it is kept in."""
