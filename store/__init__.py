"""The database behind bot.lifecycle.ports.store.Store, on SQLite or PostgreSQL."""
