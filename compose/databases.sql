-- A database a service: none can read another's tables, as it would be with a server each. Each service
-- makes its own tables when it starts.
CREATE DATABASE checkout;
CREATE DATABASE payment;
CREATE DATABASE provider;
CREATE DATABASE inventory;
-- The last one: the health check asks for it.
CREATE DATABASE email;
