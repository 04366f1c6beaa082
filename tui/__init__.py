"""What a person sees: the dashboard and the command line. Knows neither torch nor the engine."""
