"""Moving averages whose length is chosen after training."""
