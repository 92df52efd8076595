"""What checks and installs the project; nothing here runs in production."""
