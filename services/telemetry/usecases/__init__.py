"""What can be done with devices and readings; transactions begin and end here."""
