"""Training and registration distributed with Ray; no other package imports Ray."""
