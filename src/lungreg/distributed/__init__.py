"""Ray around training and registration; nothing else knows Ray."""
