"""What every question costs, what it would have cost, and how much it may."""

from groat.costs.audit_books import AuditBooks, BlameBooks, ShadowBooks
from groat.costs.baseline import baseline_cost, total, total_text
from groat.costs.books import Books
from groat.costs.budgets import Budget, Budgets, Policy, Reservation, Standing
from groat.costs.days import DayReport, Line, Questions, Spending
from groat.costs.ledger import Balance, Ceilings, KeptReply, Ledger, LedgerTotals, QuestionOutcome, Settled, Used
from groat.costs.prices import LOCAL, ListPrice, PriceTable
from groat.costs.purse import Purse
from groat.costs.sqlite import SqliteLedger

__all__ = [
    "LOCAL",
    "AuditBooks",
    "Balance",
    "BlameBooks",
    "Books",
    "Budget",
    "Budgets",
    "Ceilings",
    "DayReport",
    "KeptReply",
    "Ledger",
    "LedgerTotals",
    "Line",
    "ListPrice",
    "Policy",
    "PriceTable",
    "Purse",
    "QuestionOutcome",
    "Questions",
    "Reservation",
    "Settled",
    "ShadowBooks",
    "Spending",
    "SqliteLedger",
    "Standing",
    "Used",
    "baseline_cost",
    "total",
    "total_text",
]
