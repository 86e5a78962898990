"""What survives a restart: the database behind bot.lifecycle.ports.Store, on SQLite or PostgreSQL."""
