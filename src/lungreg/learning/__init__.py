"""What is learned: MONAI transforms, LocalNet, losses, epochs."""
