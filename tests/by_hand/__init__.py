"""Programs that are run by hand, as root, because they need what CI doesn't have."""
