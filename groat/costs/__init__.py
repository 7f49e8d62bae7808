"""What every question costs, and what it would have cost."""

from groat.costs.baseline import baseline_cost, total
from groat.costs.ledger import Ledger, LedgerTotals, SqliteLedger
from groat.costs.prices import PriceTable

__all__ = ["Ledger", "LedgerTotals", "PriceTable", "SqliteLedger", "baseline_cost", "total"]
