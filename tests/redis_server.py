"""A real Redis on a free port of loopback, for as long as a test needs one."""

from evals.redis_server import RedisServer, serve_redis, serve_sentinel

__all__ = ["RedisServer", "serve_redis", "serve_sentinel"]
