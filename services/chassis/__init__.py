"""The run-time that every service stands on; it knows nothing of companies or vehicles."""
