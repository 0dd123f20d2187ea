"""What Postcart counts: the table of names, the objects made of it, and the port where they are read."""
