"""The database behind bot.lifecycle.ports.Store, on SQLite or PostgreSQL."""
