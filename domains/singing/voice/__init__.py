"""A singer, made of trained models, and where singers are stored."""
