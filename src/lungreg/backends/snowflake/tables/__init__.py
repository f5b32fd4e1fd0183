"""The result table and claims."""
