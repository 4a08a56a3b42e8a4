"""Networks of the domain: critics, and encoders of images."""
