"""What the budget service remembers: one class per noun over a connection, SQL in the open.

The caller owns the transaction; names are unqualified, the search path is the service's schema.
"""
