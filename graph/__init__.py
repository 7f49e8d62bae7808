"""What the system is: its state, its knobs, its picture."""
