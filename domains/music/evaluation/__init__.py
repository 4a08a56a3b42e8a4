"""How well a composer follows its controls: test cases, results, distances and plots."""
