"""Budget and stock alone: killed while money and goods are held, spent, used and invoiced."""
