"""How the account is reached."""
