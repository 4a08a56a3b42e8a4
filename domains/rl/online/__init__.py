"""From offline to online training: the policy collects new transitions in its environment."""
