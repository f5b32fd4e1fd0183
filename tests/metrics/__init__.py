"""Measures of registrations: closed forms, identities, and MONAI as the oracle."""
