"""One-step visuomotor policies for robot arms."""
