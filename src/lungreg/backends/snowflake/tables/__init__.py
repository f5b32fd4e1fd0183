"""The result table and its SQL."""
