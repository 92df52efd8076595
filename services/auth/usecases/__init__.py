"""What auth does, one method per operation; transactions begin and end here."""
