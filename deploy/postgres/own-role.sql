-- Runs once, when PostgreSQL makes a new volume: the bot gets a role that owns its database and nothing else. The
-- superuser loses its password, which the bot knows, so that it can log in only inside of this container.
\getenv password POSTGRES_PASSWORD
CREATE ROLE gpubot LOGIN PASSWORD :'password';
CREATE DATABASE gpubot OWNER gpubot;
ALTER ROLE postgres PASSWORD NULL;
