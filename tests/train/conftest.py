from recipe_runs import digits, run_mnist  # noqa: F401
