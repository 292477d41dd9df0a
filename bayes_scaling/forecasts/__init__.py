"""From a posterior to runs nobody fitted: draws, intervals, scores."""
