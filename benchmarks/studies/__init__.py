"""What each part of the method is worth, on people that training never saw."""
