"""What every other room uses: checks, errors, the registry, texts, paths, the device."""
