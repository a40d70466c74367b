"""Money: budgets, cost structures, holds, real costs, and the ledger behind every balance."""
