"""The attributes of spans: OpenTelemetry's spelling for calls of models, OpenInference's for what Phoenix draws, groat's own.

The constants of OpenTelemetry's own package are marked as moved and carry yesterday's spelling, so they are spelled out here.
"""

from typing import Final

from groat.tracing.names.table import attribute, event

_ALL, _ROOT, _CHAT, _CACHE = "all", "groat", "chat", "check_cache"

KIND: Final = attribute("openinference.span.kind", _ALL, "text", "What kind of step it is.")
ERROR_TYPE: Final = attribute("error.type", _ALL, "text", "Kind of the error that ended it, or of the failure of a request.")
NODE_ID: Final = attribute("graph.node.id", "boxes", "text", "Name of the box.")
OPERATION: Final = attribute(
    "gen_ai.operation.name", "groat, chat, embeddings, retrieval", "text", "invoke_workflow, chat, embeddings or retrieval."
)
REVISION: Final = attribute("groat.revision", _ROOT, "text", "Version of groat.")
VERSION: Final = attribute(
    "groat.version.*", _ROOT, "text", "Versions in force: prompt, router, cache, compression, acceptance, embedder, prices."
)
RUN: Final = attribute("groat.run", _ROOT, "text", "Names the question in the ledger and in what blame keeps.")
LANGSMITH_RUN: Final = attribute("groat.langsmith.run_id", _ROOT, "text", "Id of the run of LangSmith that stands beside it.")
PURPOSE: Final = attribute("groat.purpose", _ROOT, "text", "question, audit, replay or shadow: what the graph was run for.")
RESUMED: Final = attribute("groat.resumed", _ROOT, "yes or no", "It went on from a checkpoint, in the trace that it began in.")
CONVERSATION: Final = attribute("gen_ai.conversation.id", _ROOT, "text", "Hash of the thread that the question belongs to.")
SESSION: Final = attribute("session.id", _ROOT, "text", "As gen_ai.conversation.id, for Phoenix.")
OUTCOME: Final = attribute(
    "groat.outcome",
    _ROOT,
    "text",
    "hit_exact, hit_semantic, cheap, expensive, unverified, passed_on, failed, error or cancelled.",
)
VERIFIED: Final = attribute("groat.verified", _ROOT, "yes or no", "The answer passed its checks, or was kept after it had.")
ESCALATED: Final = attribute("groat.escalated", _ROOT, "yes or no", "The cheap answer was not taken.")
LANGUAGE: Final = attribute("groat.language", _ROOT, "text", "Language of the question: zh or en.")
PATH: Final = attribute("groat.path", _ROOT, "texts", "The boxes, in the order in which they ended.")
KEEP: Final = attribute("groat.keep", _ROOT, "texts", "Why the trace is kept whatever the share of traces that are.")
TOTAL_COST: Final = attribute(
    "groat.total.cost_usd", _ROOT, "text", "What the question cost, exact decimal; not there when unknown."
)
TOTAL_BASELINE: Final = attribute(
    "groat.total.baseline_usd", _ROOT, "text", "What one call of the expensive model on everything found would have cost."
)
TOTAL_SAVED: Final = attribute("groat.total.saved_usd", _ROOT, "text", "The difference of the two; below 0 when it cost more.")
FIRST_TOKEN_MS: Final = attribute(
    "groat.first_token_ms",
    "groat, answer_cheap, answer_expensive",
    "number",
    "Until the user could read something, milliseconds.",
)
INPUT: Final = attribute("input.value", _ROOT, "text", "The question, redacted; only when content is switched on.")
OUTPUT: Final = attribute("output.value", "groat, chat", "text", "The answer, redacted; only when content is switched on.")

CACHE_OUTCOME: Final = attribute("groat.cache.outcome", _CACHE, "text", "hit, miss, off or error.")
CACHE_TIER: Final = attribute("groat.cache.tier", _CACHE, "text", "exact or semantic; on a hit.")
CACHE_REASON: Final = attribute("groat.cache.reason", _CACHE, "text", "Code of the reason (groat.cache.reasons).")
CACHE_RULE: Final = attribute("groat.cache.rule", _CACHE, "text", "Version of the rule in force.")
CACHE_THRESHOLD: Final = attribute("groat.cache.threshold", _CACHE, "number", "Score or cosine that a hit by likeness takes.")
CACHE_LANGUAGE: Final = attribute("groat.cache.language", _CACHE, "text", "Language of the question: zh or en.")
CACHE_FOLLOW_UP: Final = attribute("groat.cache.follow_up", _CACHE, "text", "Why the question hangs on the conversation.")
CACHE_TURNS_LEFT_OUT: Final = attribute(
    "groat.cache.turns_left_out", _CACHE, "whole number", "Turns that the question can be read without."
)
CACHE_WAITED_MS: Final = attribute("groat.cache.waited_ms", _CACHE, "number", "Waited for an equal question, milliseconds.")
CACHE_WAITED_KEPT: Final = attribute("groat.cache.waited_kept", _CACHE, "yes or no", "Its answer came in time.")
CACHE_ALARMS: Final = attribute(
    "groat.cache.alarms", _CACHE, "texts", "What is not as it was with the cache (groat.cache.alarm)."
)
CACHE_CANDIDATE: Final = attribute("groat.cache.candidate", _CACHE, "text", "Id of the nearest entry.")
CACHE_SIMILARITY: Final = attribute("groat.cache.similarity", _CACHE, "number", "Its cosine.")
CACHE_DIFFERENCES: Final = attribute("groat.cache.differences", _CACHE, "texts", "What the guard found to differ.")
CACHE_SCORE: Final = attribute("groat.cache.score", _CACHE, "number", "Log odds that one answer serves both.")
CACHE_LEAST_SCORE: Final = attribute("groat.cache.least_score", _CACHE, "number", "Score that the promise takes.")
CACHE_BOUND: Final = attribute("groat.cache.bound", _CACHE, "number", "Bound (95 %) of the share of wrong hits in force.")
CACHE_JUDGED: Final = attribute("groat.cache.judged", _CACHE, "number", "Probability that the judge of pairs gives.")
CACHE_EVIDENCE: Final = event("groat.cache.evidence", _CACHE, "What the score was made of, by name.")

DOCUMENT_ID: Final = "retrieval.documents.{n}.document.id"
DOCUMENT_SCORE: Final = "retrieval.documents.{n}.document.score"
DOCUMENT_CONTENT: Final = "retrieval.documents.{n}.document.content"
DOCUMENTS: Final = attribute(
    "retrieval.documents.*",
    "retrieve",
    "text",
    "Id and score of each passage; its text, redacted, only with content on.",
)
FOUND: Final = attribute("groat.retrieve.passages", "retrieve", "whole number", "Passages found.")
TOP_K: Final = attribute("gen_ai.retrieval.top_k", "retrieval", "whole number", "Most passages asked for.")
RETURNED: Final = attribute("groat.retrieval.passages", "retrieval", "whole number", "Passages found.")

ROUTE_TIER: Final = attribute("groat.route.tier", "route, groat", "text", "cheap or expensive.")
ROUTE_KIND: Final = attribute("groat.route.kind", "route", "text", "knowledge, small_talk or translation.")
ROUTE_SCORE: Final = attribute("groat.route.score", "route", "number", "Probability that the cheap answer is as good.")
ROUTE_THRESHOLD: Final = attribute("groat.route.threshold", "route", "number", "Least score that goes to the cheap model.")
ROUTE_GAIN: Final = attribute("groat.route.gain", "route", "number", "Quality that the expensive model is expected to add.")
ROUTE_REASONS: Final = attribute("groat.route.reasons", "route", "texts", "Rules and bounds that decided.")
ROUTE_BUDGET: Final = attribute("groat.route.budget_bound", "route", "yes or no", "A budget overruled the router.")
DECISION_MODEL: Final = attribute("decision.model_name", "route", "text", "Version of the router.")

TOKENS_BEFORE: Final = attribute("groat.context.tokens_before", "compress", "whole number", "Tokens of the passages found.")
TOKENS_AFTER: Final = attribute("groat.context.tokens_after", "compress", "whole number", "Tokens that are sent.")
CONTEXT_LEVEL: Final = attribute("groat.context.level", "compress, answer boxes", "text", "none, cheap, expensive or full.")
CONTEXT_REASON: Final = attribute("groat.context.reason", "compress", "text", "Why so much was kept.")

ATTEMPT_MODEL: Final = attribute("groat.attempt.model", "answer boxes", "text", "The model that answered, or was asked first.")
ATTEMPT_REQUESTS: Final = attribute("groat.attempt.requests", "answer boxes", "whole number", "Requests that it took.")
ATTEMPT_FAILURE: Final = attribute(
    "groat.attempt.failure", "answer boxes", "text", "Kind of failure; not there when it answered."
)
ATTEMPT_REPAIRED: Final = attribute(
    "groat.attempt.repaired", "answer boxes", "yes or no", "It was told what was wrong with the one before."
)
ATTEMPT_ABSTAINED: Final = attribute(
    "groat.attempt.abstained", "answer boxes", "yes or no", "The model said that the documents do not answer."
)
ATTEMPT_REUSED: Final = attribute(
    "groat.attempt.reused", "answer boxes", "yes or no", "A reply that was paid for before a crash took the place of requests."
)

VERDICT_STEP: Final = attribute(
    "groat.verdict.step", "validate, groat", "text", "accept, fix, escalate, degrade, decompress or exhausted; the last one."
)
VERDICT_OK: Final = attribute("groat.verdict.ok", "validate", "yes or no", "All checks passed and the answer is sure enough.")
VERDICT_FAILED: Final = attribute("groat.verdict.failed_checks", "validate", "texts", "Names of the checks that failed.")
VERDICT_SCORE: Final = attribute("groat.verdict.score", "validate", "number", "Probability that the answer is as good.")
VERDICT_THRESHOLD: Final = attribute("groat.verdict.threshold", "validate", "number", "Least score that is accepted.")
VERDICT_PROMISE: Final = attribute("groat.verdict.promise", "validate", "text", "router or evidence: whose promise covers it.")
VERDICT_OPINIONS: Final = attribute("groat.verdict.opinions", "validate", "whole number", "Opinions that were bought.")
VERDICT_AGREEMENT: Final = attribute("groat.verdict.agreement", "validate", "number", "Their mean agreement, 0 to 1.")
VERDICT_EVIDENCE: Final = event("groat.verdict.evidence", "validate", "What the score was made of, by name.")

KEPT: Final = attribute("groat.remember.kept", "remember", "yes or no", "The cache keeps the answer.")
NOT_KEPT: Final = attribute("groat.remember.reason", "remember", "text", "Why it does not.")

PROVIDER: Final = attribute(
    "gen_ai.provider.name", "chat", "text", "openai for every endpoint that speaks its protocol, or groat."
)
REQUEST_MODEL: Final = attribute("gen_ai.request.model", "chat, embeddings", "text", "The model that was asked.")
REQUEST_STREAM: Final = attribute("gen_ai.request.stream", _CHAT, "yes or no", "The reply was streamed on the wire.")
MAX_TOKENS: Final = attribute(
    "gen_ai.request.max_tokens", _CHAT, "whole number", "Most tokens of the reply, where it was held to any."
)
FINISH: Final = attribute("gen_ai.response.finish_reasons", _CHAT, "texts", "Why the reply ended.")
FIRST_CHUNK: Final = attribute(
    "gen_ai.response.time_to_first_chunk", _CHAT, "number", "Seconds from sending to the first token."
)
INPUT_TOKENS: Final = attribute(
    "gen_ai.usage.input_tokens", _CHAT, "whole number", "Tokens of the prompt, cached ones among them."
)
OUTPUT_TOKENS: Final = attribute(
    "gen_ai.usage.output_tokens", _CHAT, "whole number", "Tokens of the reply, reasoning among them."
)
CACHE_READ: Final = attribute(
    "gen_ai.usage.cache_read.input_tokens", _CHAT, "whole number", "Of the prompt, read from its cache."
)
CACHE_WRITE: Final = attribute(
    "gen_ai.usage.cache_creation.input_tokens", _CHAT, "whole number", "Of the prompt, written to its cache."
)
REASONING: Final = attribute("gen_ai.usage.reasoning.output_tokens", _CHAT, "whole number", "Of the reply, reasoning.")
ADDRESS: Final = attribute("server.address", _CHAT, "text", "Host of the endpoint.")
PORT: Final = attribute("server.port", _CHAT, "whole number", "Its port.")
STATUS: Final = attribute(
    "http.response.status_code", "chat, requests", "whole number", "HTTP status of a refusal, or of what `groat serve` replied."
)
METHOD: Final = attribute("http.request.method", "requests", "text", "HTTP method of a request to `groat serve`.")
ROUTE: Final = attribute("http.route", "requests", "text", "Pattern of its path.")
LLM_MODEL: Final = attribute("llm.model_name", _CHAT, "text", "As gen_ai.request.model, for Phoenix.")
LLM_PROMPT: Final = attribute("llm.token_count.prompt", _CHAT, "whole number", "As gen_ai.usage.input_tokens.")
LLM_COMPLETION: Final = attribute("llm.token_count.completion", _CHAT, "whole number", "As gen_ai.usage.output_tokens.")
LLM_TOTAL: Final = attribute("llm.token_count.total", _CHAT, "whole number", "The sum of the two.")
LLM_CACHE_READ: Final = attribute("llm.token_count.prompt_details.cache_read", _CHAT, "whole number", "As the one of gen_ai.")
LLM_COST: Final = attribute("llm.cost.total", "chat, boxes", "number", "groat.cost.usd as a number; Phoenix computes its own.")
MESSAGE_ROLE: Final = "llm.input_messages.{n}.message.role"
MESSAGE_CONTENT: Final = "llm.input_messages.{n}.message.content"
MESSAGES: Final = attribute("llm.input_messages.*", _CHAT, "text", "The prompt, redacted; only when content is switched on.")
CALL_NUMBER: Final = attribute("groat.call.number", _CHAT, "whole number", "Place among the requests of one try, from 0.")
CALL_OUTCOME: Final = attribute("groat.call.outcome", _CHAT, "text", "ok, the kind of failure, or cancelled.")
CALL_HEDGE: Final = attribute("groat.call.hedge", _CHAT, "yes or no", "It was sent because the one before was slow.")
CALL_WAITED_MS: Final = attribute("groat.call.waited_ms", _CHAT, "number", "Back-off and rate limit before it, milliseconds.")
CALL_TIER: Final = attribute("groat.call.tier", _CHAT, "text", "cheap or expensive.")
COST: Final = attribute(
    "groat.cost.usd",
    "chat; boxes that pay for vectors",
    "text",
    "What was charged for this very span, exact decimal: the sum over all spans is the ledger's.",
)
COST_UNKNOWN: Final = attribute(
    "groat.cost.unknown", "chat, boxes", "whole number", "Charges without a known price, in no sum."
)
COST_KEYS: Final = attribute("groat.cost.keys", "chat, boxes", "texts", "Keys of the charges in the ledger.")
PRICED_AS: Final = attribute("groat.cost.priced_as", "chat, boxes", "text", "Model whose list price applies.")
PRICES: Final = attribute("groat.cost.prices", "chat, boxes", "text", "Version of the price table.")
ESTIMATED: Final = attribute("groat.usage.estimated", _CHAT, "yes or no", "The tokens were counted here.")
COST_PURPOSE: Final = attribute("groat.cost.purpose", _CHAT, "text", "answer, second_opinion, judge, audit or shadow.")

EMBEDDING_MODEL: Final = attribute("embedding.model_name", "embeddings", "text", "As gen_ai.request.model, for Phoenix.")
EMBEDDING_TEXTS: Final = attribute("groat.embeddings.texts", "embeddings", "whole number", "Texts in the call.")
DB_SYSTEM: Final = attribute("db.system.name", "stores", "text", "sqlite, redis or memory.")
DB_OPERATION: Final = attribute("db.operation.name", "stores", "text", "What was asked of it.")
