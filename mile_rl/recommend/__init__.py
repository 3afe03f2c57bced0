"""What to change next: ranked changes with what to expect of them, why, and how long they will take."""
