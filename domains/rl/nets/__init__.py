"""Networks of the domain: critics, Gaussian policies, and encoders of images."""
