SET LOCAL lock_timeout = '5s';

-- stockMgt books what extraction files took; what is to be given back behind them waits with them.
ALTER TABLE reservations ADD COLUMN release_asked boolean NOT NULL DEFAULT false;
CREATE INDEX consumptions_waiting ON consumptions (requested_at, cause_id)
    WHERE booked_at IS NULL;
