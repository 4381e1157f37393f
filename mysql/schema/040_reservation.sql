-- A user's wish for one unit of a room.  Ids are UUIDv7, so the primary key is the order of time.
-- No foreign keys: nobody may delete a room or a user (see the grants), the procedures have locked
-- or read both, and a key on room_id would cost every reservation an index entry that no query uses.
CREATE TABLE IF NOT EXISTS reservation (
  id          BINARY(16)  NOT NULL COMMENT 'UUIDv7, made by the service',
  user_id     BINARY(16)  NOT NULL,
  room_id     BINARY(16)  NOT NULL,
  status      ENUM('RESERVED', 'PENDING_APPROVAL', 'CANCELLED', 'REJECTED', 'RELEASED') NOT NULL,
  points      INT         NOT NULL COMMENT 'the price quoted at the request; from an approval on, what was taken',
  created_at  DATETIME(6) NOT NULL COMMENT 'UTC',
  updated_at  DATETIME(6) NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY reservation_user (user_id, id) COMMENT 'GET /v1/reservations?user_id=',
  KEY reservation_status (status, id) COMMENT 'GET /v1/reservations?status=: who waits for approval',
  CONSTRAINT reservation_points CHECK (points BETWEEN 0 AND 1000000000)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
