"""What we intend and what we believe: intents, order tracker, ledger. Pure, apart from the order desk, which does the calls."""
