"""What a law is written with: the base class, priors, and the sites of its model."""
