PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (key TEXT PRIMARY KEY, issuer TEXT NOT NULL, sub TEXT NOT NULL, jws TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  severity INTEGER NOT NULL,
  time TEXT NOT NULL,
  subject TEXT,
  description TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX events_by_severity ON events(severity);
CREATE TABLE destinations (
  name TEXT PRIMARY KEY,
  last_sequence INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  configured INTEGER NOT NULL DEFAULT 1,
  retry TEXT
) WITHOUT ROWID;
CREATE TABLE outbox (
  destination TEXT NOT NULL REFERENCES destinations(name),
  sequence INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES events(number) ON DELETE CASCADE,
  replaceable INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (destination, sequence)
) WITHOUT ROWID;
CREATE INDEX outbox_by_event ON outbox(event);
CREATE INDEX outbox_replaceable ON outbox(destination) WHERE replaceable;
CREATE TABLE quarantine (
  destination TEXT NOT NULL REFERENCES destinations(name),
  sequence INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES events(number) ON DELETE CASCADE,
  code TEXT NOT NULL,
  answer TEXT NOT NULL,
  time TEXT NOT NULL,
  PRIMARY KEY (destination, sequence)
) WITHOUT ROWID;
CREATE INDEX quarantine_by_event ON quarantine(event);
CREATE TABLE stored (bytes INTEGER NOT NULL);
INSERT INTO stored VALUES (0);
CREATE TRIGGER event_kept AFTER INSERT ON events BEGIN
  UPDATE stored SET bytes = bytes + octet_length(new.body) + 512;
END;
CREATE TRIGGER event_gone AFTER DELETE ON events BEGIN
  UPDATE stored SET bytes = bytes - octet_length(old.body) - 512;
END;
PRAGMA user_version = 2;
INSERT INTO notes VALUES ('id', 'id-1'), ('state', '{"protected_devices":7}'), ('bond', '{"since":"2026-01-01T00:00:00Z"}'), ('changes', '3'),
  ('first_sequence', '0'), ('rebuilt', ''), ('source', 'note'), ('time', 'memory');
INSERT INTO documents VALUES ('K', 'i', 's', 'j');
INSERT INTO destinations (name, last_sequence, delivered) VALUES ('a', 2, 1), ('b', 2, 0);
INSERT INTO events (id, type, severity, time, subject, description, body) VALUES
  ('e1', 'devices.limit', 2, '2026-01-01T00:00:00Z', NULL, 'one', '{"id":"e1"}'),
  ('e2', 'devices.limit', 2, '2026-01-01T00:00:00Z', 'K', 'two', '{"id":"e2"}');
INSERT INTO outbox (destination, sequence, event) VALUES ('a', 1, 1), ('a', 2, 2), ('b', 2, 2);
INSERT INTO quarantine VALUES ('b', 1, 1, 'http_400', 'no', '2026-01-01T00:00:00Z');
