"""From a posterior to what to do: budgets, sizes, costs, next runs, ladders, transfer."""
