"""What stands beside the bot: settings, journal, risk limits, logs."""
