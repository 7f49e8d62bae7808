"""The books of audits, replays and shadows: what they cost stands under headings of its own; they are nobody's questions."""

from typing import ClassVar, Self

from groat.costs.books import Books
from groat.costs.ledger import Settled
from groat.errors import StorageError
from groat.types import Box, Charge, Purpose, Tier, Usage


class AuditBooks(Books):
    """Writes every charge down for the purpose "audit", into the ledger of other books, with their prices and clock."""

    purpose: ClassVar[Purpose] = "audit"

    @classmethod
    def beside(cls, books: Books) -> Self:
        """Return such books beside those of questions."""
        return cls(
            books.prices,
            books.ledger,
            baseline_model=books.baseline_model,
            embedding_priced_as=books._embedding_priced_as,
            clock=books._clock,
        )

    def chat(
        self,
        *,
        key: str,
        box: Box,
        model: str,
        priced_as: str,
        tier: Tier,
        usage: Usage,
        purpose: Purpose = "audit",
        outcome: str = "ok",
        billed_usd: str | None = None,
    ) -> Charge:
        """Return the charge for one call of a chat model; whatever it was for, it stands under the heading of these books."""
        return super().chat(
            key=key, box=box, model=model, priced_as=priced_as, tier=tier, usage=usage, purpose=self.purpose, outcome=outcome,
            billed_usd=billed_usd,
        )  # fmt: skip

    def embedding(self, *, key: str, box: Box, model: str, text: str) -> Charge:
        """Return the charge for one vector."""
        return {**super().embedding(key=key, box=box, model=model, text=text), "purpose": self.purpose}

    async def question(self, question: Settled) -> str | None:
        """Forget the paid replies of the run; it is no question, and changes no rate of hits."""
        try:
            await self.ledger.drop_replies(question.run)
        except StorageError as error:
            return str(error)
        return None


class BlameBooks(AuditBooks):
    """Writes every charge down for the purpose "blame"."""

    purpose: ClassVar[Purpose] = "blame"


class ShadowBooks(AuditBooks):
    """Writes every charge down for the purpose "shadow"."""

    purpose: ClassVar[Purpose] = "shadow"
