"""Statistics of a release, pure: numbers in, numbers out. It knows nothing of bundles, files or screens.

`paired` compares two arms on the same cases; `flips` counts what changed; `multiplicity` corrects for many slices;
`sample_size` says what would settle it; `quantiles` handles heavy tails. Import the modules: scipy loads only where it is used.
"""
