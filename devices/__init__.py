"""What runs on or stands in for the boards in vehicles."""
