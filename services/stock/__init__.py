"""Goods: stock lines, orders, reservations, consumptions, alerts, and the ledger behind them."""
