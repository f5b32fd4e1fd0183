"""Batch inference by Snowflake: start a job over cases, wait for it, read its results back."""
