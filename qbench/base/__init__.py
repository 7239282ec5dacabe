"""Used by every other package: checks, errors, the registry, texts, paths, the device."""
