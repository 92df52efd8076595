"""What the use cases need of the world; every query of a repository takes a scope."""
