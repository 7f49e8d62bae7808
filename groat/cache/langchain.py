"""The answer cache as LangChain's cache of models: ``set_llm_cache(GroatCache.open("groat-cache.sqlite"))``."""

import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.outputs import Generation

from groat.cache.accept import SameJudge
from groat.cache.answers import AnswerCache
from groat.cache.generations import dump_generations, load_generations
from groat.cache.loop_thread import LoopThread
from groat.cache.opening import OWN, open_rule
from groat.cache.prompt import AnswerLanguage, Reading, read_prompt
from groat.cache.stores import AnswerStore, MemoryStore, RedisStore, SqliteStore
from groat.embedding import Embedder, RecentQueries
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput, GroatError
from groat.redis_link import is_address

_LOG = logging.getLogger(__name__)
_QUIET_S = 60.0
"""How long the log is silent about what it has said: an application may ask a broken cache a thousand times a second."""

Tenant = str | Callable[[], str]
CloseStore = Callable[[], Coroutine[Any, Any, None]]


class GroatCache(BaseCache):
    """Serves answers again under the rule of ``AnswerCache``, to every chat model and plain model of LangChain.

    The question of a prompt may hit by likeness, everything else in it must be equal: ``groat.cache.prompt`` says how it is
    read. A hit has no usage, and ``response_metadata["groat"]`` (of a plain model ``generation_info["groat"]``) says what
    served it. An answer with calls of tools serves the equal prompt alone. Answers that are empty, refused or cut short are
    not kept. No answer stands on a document, so none falls when one changes: see ``ttl_s``.

    When the store, the embedder or ``tenant`` fails, the model is asked as if there were no cache; ``last_failure`` and the
    log say why. All work is done in one event loop in a thread of its own, so one object serves any number of
    threads and loops; hand it a store and an embedder that no other loop uses.

    Args:
        answers: decides and keeps.
        embedder: returns the vectors of questions; the rule of ``answers`` must have been made for them.
        tenant: whose answers these are, or what says so in the context of each call.
        answer_language: which language the application asks its models to answer in; "auto": that of the question.
        ttl_s: how long an answer may serve, in seconds; None: until it is forgotten or evicted.

    Raises:
        BadInput: the tenant is blank, or ``ttl_s`` not positive.
    """

    def __init__(
        self,
        answers: AnswerCache,
        embedder: Embedder,
        *,
        tenant: Tenant = "default",
        answer_language: AnswerLanguage = "auto",
        ttl_s: float | None = None,
    ) -> None:
        """Keep the arguments; nothing is opened or started."""
        if isinstance(tenant, str):
            _need_tenant(tenant)
        if ttl_s is not None and ttl_s <= 0:
            raise BadInput(f"ttl_s is {ttl_s}; give a positive number of seconds, or None for no limit")
        self._answers = answers
        # What a lookup missed is kept a moment later: its vector is computed once.
        self._embedder = RecentQueries(embedder)
        self._tenant = tenant
        self._language: AnswerLanguage = answer_language
        self._ttl_s = ttl_s
        self._thread = LoopThread("groat-cache")
        self._close_store: CloseStore | None = None
        self._failure: str | None = None
        self._told: dict[str, float] = {}

    @classmethod
    def open(
        cls,
        path_or_url: str | Path,
        *,
        judge: SameJudge | None = None,
        tenant: Tenant = "default",
        answer_language: AnswerLanguage = "auto",
        ttl_s: float | None = None,
    ) -> "GroatCache":
        """Return a cache with the bundled embeddings and the rule for them; beside a file, the rule that was calibrated there.

        Args:
            path_or_url: an SQLite file, made at the first use, as a path or as ``sqlite:///path``; the address of a Redis that
                several machines share; or ":memory:".
            judge: reads the best candidates, as in the graph: ``groat.judge.Judge.open()``.
            tenant: as for the class.
            answer_language: as for the class.
            ttl_s: as for the class.

        Raises:
            BadInput: the address is none of these, the tenant is blank, or ``ttl_s`` not positive.
        """
        store, close, folder = _open_store(path_or_url)
        embedder = BundledEmbedder()
        rule = open_rule(embedder.name, judge, verifier=folder / OWN if folder else None)
        if not rule.version:
            _LOG.warning("groat's cache serves equal questions only: no rule was made for the vectors of %s", embedder.name)
        answers = AnswerCache(store, rule)
        cache = cls(answers, embedder, tenant=tenant, answer_language=answer_language, ttl_s=ttl_s)
        cache._close_store = close
        return cache

    @property
    def last_failure(self) -> str | None:
        """What the newest failure was, for a health page; None since the last call that worked."""
        return self._failure or self._answers.last_failure

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return what may serve this prompt, None without it. Never raises."""
        try:
            return self._succeeded(self._thread.run(partial(self._find, prompt, llm_string, self._tenant_now())))
        except Exception as error:  # the tenant's function, the embedder or the store may raise anything; the model can answer
            self._failed(error)
            return None

    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return what may serve this prompt, None without it. Never raises."""
        try:
            return self._succeeded(await self._thread.arun(partial(self._find, prompt, llm_string, self._tenant_now())))
        except Exception as error:  # as in `lookup`
            self._failed(error)
            return None

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep what the model generated, if it may serve again. Never raises."""
        try:
            self._succeeded(self._thread.run(partial(self._keep, prompt, llm_string, return_val, self._tenant_now())))
        except Exception as error:  # as in `lookup`
            self._failed(error)

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep what the model generated, if it may serve again. Never raises."""
        try:
            self._succeeded(await self._thread.arun(partial(self._keep, prompt, llm_string, return_val, self._tenant_now())))
        except Exception as error:  # as in `lookup`
            self._failed(error)

    def clear(self, **kwargs: Any) -> None:
        """Forget the answers of the tenant, and of no other.

        Raises:
            BadInput: something was named that is not to be forgotten alone, or there is no tenant.
            StorageError: the store failed; some answers may still be there.
        """
        self._thread.run(partial(self._forget, self._tenant_now(), kwargs))

    async def aclear(self, **kwargs: Any) -> None:
        """Forget the answers of the tenant, and of no other; raises as ``clear`` does."""
        await self._thread.arun(partial(self._forget, self._tenant_now(), kwargs))

    def close(self) -> None:
        """End the thread, and close the file or the connections that ``open`` opened; the next use begins anew."""
        if self._close_store is not None:
            self._thread.run(self._close_store)
        self._thread.close()

    async def _find(self, prompt: str, llm_string: str, tenant: str) -> list[Generation] | None:
        reading = self._read(prompt, llm_string, tenant)
        if reading is None:
            return None
        for request in reading.requests:
            lookup, kept = await self._answers.lookup(
                request.identity, request.asked, embed=self._embedder.query, current_versions=_no_documents
            )
            # One prompt is one question, however often it is looked up.
            if lookup["outcome"] != "miss" or request is reading.requests[-1]:
                self._answers.counts.looked_up(lookup, language=request.asked["language"])
            if kept is not None:
                return load_generations(kept, lookup)
            if lookup["outcome"] == "error":
                raise GroatError(lookup["reason"])
            if lookup["outcome"] == "off":
                break
        return None

    async def _keep(self, prompt: str, llm_string: str, generations: RETURN_VAL_TYPE, tenant: str) -> None:
        reading, kept = self._read(prompt, llm_string, tenant), dump_generations(generations)
        if reading is None or kept is None:
            return
        request = reading.whole if kept.calls_tools or reading.question is None else reading.question
        remembered = await self._answers.remember(
            request.identity,
            request.asked,
            {"answer": kept.answer, "sources": [], "documents": [], "tier": "expensive", "baseline_cost_usd": None},
            embed=self._embedder.query,
            ttl_s=self._ttl_s,
        )
        if not remembered and (failure := self._answers.last_failure) is not None:
            raise GroatError(failure)

    async def _forget(self, tenant: str, named: Mapping[str, object]) -> None:
        if named:
            raise BadInput(f"the cache cannot clear by {', '.join(sorted(named))}; without arguments it clears the tenant")
        await self._answers.forget(tenant=tenant)

    def _read(self, prompt: str, llm_string: str, tenant: str) -> Reading | None:
        try:
            return read_prompt(prompt, llm_string, tenant=tenant, language=self._language)
        except BadInput as error:
            # No failure: it is so with every such call of the application.
            self._tell(str(error))
            return None

    def _tenant_now(self) -> str:
        return self._tenant if isinstance(self._tenant, str) else _need_tenant(self._tenant())

    def _succeeded(self, found: list[Generation] | None) -> list[Generation] | None:
        self._failure = None
        return found

    def _failed(self, error: Exception) -> None:
        # What others' code raises may quote the question.
        sentence = str(error) if isinstance(error, GroatError) else f"the answer cache failed with {type(error).__name__}"
        self._failure = sentence
        self._tell(sentence)

    def _tell(self, sentence: str) -> None:
        now = time.monotonic()
        if now - self._told.get(sentence, -_QUIET_S) >= _QUIET_S:
            self._told[sentence] = now
            _LOG.warning("answered without the cache: %s", sentence)


async def _no_documents(ids: Collection[str]) -> Mapping[str, str]:
    return {}


def _need_tenant(tenant: object) -> str:
    if not isinstance(tenant, str) or not tenant.strip():
        raise BadInput("the tenant is empty; name whose answers these are")
    return tenant


def _open_store(path_or_url: str | Path) -> tuple[AnswerStore, CloseStore | None, Path | None]:
    """Return the store, what closes it, and the folder that its file is in."""
    address = str(path_or_url)
    if address == ":memory:":
        return MemoryStore(), None, None
    scheme, separator, rest = address.partition("://")
    if separator and scheme in {"redis", "rediss", "unix"} and is_address(address):
        shared = RedisStore(address)
        return shared, shared.aclose, None
    if separator and (scheme != "sqlite" or not rest.startswith("/") or rest == "/"):
        raise BadInput(
            f"the cache cannot be kept at this {scheme} address; give the path of a file, sqlite:///path, or redis://host:6379/0"
        )
    path = Path(rest[1:] if separator else address).expanduser()
    file = SqliteStore(path)
    return file, file.close, path.parent
