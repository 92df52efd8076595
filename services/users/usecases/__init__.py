"""What can be done, one method per operation; transactions begin and end here."""
