"""The page about one run: gathers the measures, draws them, and sums them up in sentences."""
