"""The page of the results inside Snowflake: what is sent there, and what makes it."""
