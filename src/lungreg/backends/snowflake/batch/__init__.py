"""Batch inference by Snowflake itself: what starts a job, runs in it, and takes what it leaves."""
