-- A kind of room, of which there are total_amount units.
-- available_amount = total_amount - number of RESERVED reservations, at every instant.
CREATE TABLE IF NOT EXISTS room (
  id                BINARY(16)   NOT NULL COMMENT 'UUID',
  name              VARCHAR(200) NOT NULL,
  total_amount      INT          NOT NULL COMMENT 'units that exist',
  available_amount  INT          NOT NULL COMMENT 'units that can be reserved now',
  required_points   INT          NOT NULL COMMENT 'price of one unit',
  archived          TINYINT      NOT NULL DEFAULT 0 COMMENT '1: neither listed nor reservable',
  reservable        TINYINT      NOT NULL COMMENT '1: not archived and a unit is left; changes only at the edge, so its index costs nothing in between',
  PRIMARY KEY (id),
  KEY room_reservable (reservable, id) COMMENT 'GET /v1/rooms?available=true',
  CONSTRAINT room_total CHECK (total_amount BETWEEN 0 AND 1000000),
  CONSTRAINT room_available CHECK (available_amount BETWEEN 0 AND total_amount),
  CONSTRAINT room_price CHECK (required_points BETWEEN 0 AND 1000000000),
  CONSTRAINT room_flags CHECK (archived IN (0, 1) AND reservable = (archived = 0 AND available_amount > 0))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
