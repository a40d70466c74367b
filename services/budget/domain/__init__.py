"""What the budget service decides: pure rules over values, no I/O, no clock."""
