"""The local backend: a folder or bucket, results in Parquet, models in files, curves in MLflow.

Imports nothing itself: `register`, which needs a folder alone, loads neither DuckDB nor Arrow.
"""
