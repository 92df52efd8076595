"""What auth knows: credentials, sessions, keys and limits, without any I/O."""
