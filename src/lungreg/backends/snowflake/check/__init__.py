"""Try what the steps do in an account: privileges, stages, tables, models, and a job's machine."""
