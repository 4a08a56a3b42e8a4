"""Networks that are trained beside a model: fakes, judges, the log-variance of a loss."""
