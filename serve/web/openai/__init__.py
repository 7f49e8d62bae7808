"""The OpenAI-compatible endpoint: what an application that speaks to a model can speak to instead."""
