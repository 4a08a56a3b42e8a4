"""Models, the Lightning module that trains them, and the folder of a run."""
