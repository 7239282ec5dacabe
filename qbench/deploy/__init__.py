"""What a trained configuration means on a device."""
