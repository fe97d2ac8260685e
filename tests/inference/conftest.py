from recipe_runs import digits, run_mnist, run_recipe, run_speech, tone_digits  # noqa: F401
