"""Files of any kind to arrays and back."""
