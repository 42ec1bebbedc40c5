// Loaded before the server, it makes SQLite acknowledge before the write-ahead log is on the disk, and say that it
// doesn't: the mistake that the replay of power cuts must find.

import Database from 'better-sqlite3';

const { pragma } = Database.prototype;

Database.prototype.pragma = function (source, options) {
  if (source === 'synchronous') return 2;
  return pragma.call(this, source.replace(/^synchronous = .*/, 'synchronous = NORMAL'), options);
};
