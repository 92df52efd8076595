"""People, without any I/O."""
