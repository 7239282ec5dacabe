"""Image files: listed, checked, divided into parts, decoded and resized."""
