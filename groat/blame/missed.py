"""Which check should have caught a bad answer, by its origin and by what the record shows."""

from groat.blame.snapshot import Finding, Snapshot


def missed_by(origin: Finding, run: Snapshot) -> str:
    """Return the check that let the answer through; "none" when none could have caught it or one did.

    A hit passes the cache's own checks alone: the identity for an equal question, an audit for an alias, the rule for a hit by
    likeness; and the versions of documents for a stale one. An answer that validation marked unverified was caught.
    """
    if origin == "stale":
        return "document_versions"
    if run.is_hit:
        return {"exact": "identity", "alias": "audit_of_aliases"}.get(run.lookup["reason"], "accept_rule")
    if not run.verified or origin in ("no_fault", "unclear", "validation", "knowledge"):
        # Nothing holds the documents against the world.
        return "none"
    verdict = run.verdicts[-1]
    if run.tier == "cheap" and "acceptance" in verdict:
        return "acceptance"
    # Before an answer without its sentence is accepted, this is what should have asked for the full context.
    return "check_support" if origin in ("retrieval", "compression", "unanswerable") else "checks"
