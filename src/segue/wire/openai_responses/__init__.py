"""The OpenAI Responses dialect, without what is kept at the provider: conversations are sent whole."""
