"""Sessions of the account: login, pool, errors."""
