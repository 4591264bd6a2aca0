"""Reports render records for people and machines."""
