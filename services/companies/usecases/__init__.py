"""What can be done with companies and what is theirs; transactions begin and end here."""
