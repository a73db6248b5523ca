"""The OpenAI Responses dialect, as the gateway needs it: requests and answers, to and from the neutral form."""
