"""The gateway: the data plane. `http/` is its connection layer and knows nothing of workflows, bundles or models."""
