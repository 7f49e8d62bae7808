"""What every question costs, and what it would have cost."""

from groat.costs.baseline import baseline_cost, total, total_text
from groat.costs.books import Books
from groat.costs.ledger import Ledger, LedgerTotals, SqliteLedger
from groat.costs.prices import LOCAL, PriceTable

__all__ = ["LOCAL", "Books", "Ledger", "LedgerTotals", "PriceTable", "SqliteLedger", "baseline_cost", "total", "total_text"]
